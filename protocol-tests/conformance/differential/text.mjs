// Text of a case: how it becomes bytes, broken UTF-8 included, and how a valid one is broken.

/**
 * The bytes of a text. A lone surrogate from U+DC80 to U+DCFF stands for the byte 0x80 to 0xFF, so that a case can say
 * what is no text, and can still be printed, cut and read again.
 */
export function bytesOf(text) {
  if (text.isWellFormed()) return Buffer.from(text);
  const pieces = [];
  for (const symbol of text) {
    const code = symbol.codePointAt(0);
    const isByte = code >= 0xdc80 && code <= 0xdcff;
    pieces.push(isByte ? Buffer.from([code - 0xdc00]) : Buffer.from(symbol));
  }
  return Buffer.concat(pieces);
}

/** The text that stands for one byte above 0x7f. */
export function rawByte(byte) {
  return String.fromCharCode(0xdc00 + byte);
}

/** Some broken UTF-8: a stray byte, a cut sequence, an overlong one, a surrogate, or too large a code point. */
export function brokenUtf8(random) {
  const bytes = random.pick([[0xff], [0x80], [0xc3], [0xe2, 0x82], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf0, 0x9f]]);
  return bytes.map(rawByte).join("");
}

const SPECIAL = [
  ..."0123456789", "b", "-", "/", ",", "?", "#", "[", "]", "{", "}", '"', "\\", ":", " ", "\t", "\n", "\r", "\0", "\x1e", "\x7f",
  "é", "€", "😀", "\u2028", "\ufeff", "+", ".", "e", "E", "null", "true", "[]", "{}", '""', "-0", "1e3", "_placeholder", "num",
];

/** The text with one or a few small things done to it. */
export function mutate(random, text) {
  let changed = text;
  for (let times = random.pick([1, 1, 1, 2, 3]); times > 0; times -= 1) changed = mutateOnce(random, changed);
  return changed;
}

function mutateOnce(random, text) {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + random.pick([1, 1, 2, 3, 8]));
  const [before, middle, after] = [text.slice(0, at), text.slice(at, to), text.slice(to)];
  return random.oneOf([
    [4, () => before + after],
    [4, () => before + random.pick(SPECIAL) + middle + after],
    [4, () => before + random.pick(SPECIAL) + after],
    [2, () => before + middle + middle + after],
    [1, () => before],
    [1, () => before + brokenUtf8(random) + middle + after],
    [1, () => before + after + middle],
  ]);
}
