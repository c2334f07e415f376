// What may be sent: the size in bytes of UTF-8, and the tidying before it is measured.

/** The server's limit for one message. */
export const CONTENT_BYTES_MAX = 8 * 1024;

/** How many bytes `text` takes in UTF-8. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** `text` as it is sent: no blank lines around it, and no halves of characters, which UTF-8 cannot carry. */
export function tidy(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD")
    .replace(/^(?:[^\S\n]*\n)+/, "")
    .trimEnd();
}

/** Why the tidy `text` cannot be sent, in words for the person who typed it. */
export function problem(text: string): string | undefined {
  if (!/[^\s\u200B-\u200F\u2060\u2800\u3164\uFEFF]/u.test(text)) return "Write something first, then send it.";
  const excess = byteLength(text) - CONTENT_BYTES_MAX;
  if (excess > 0) return `This message is ${count(excess, "byte")} too long. Shorten it, or send it in parts.`;
  return undefined;
}

/** The line under the input: silent until the limit is near. */
export function allowance(text: string): string {
  const left = CONTENT_BYTES_MAX - byteLength(tidy(text));
  if (left > CONTENT_BYTES_MAX / 10) return "";
  return left >= 0 ? `${count(left, "byte")} left` : `${count(-left, "byte")} too long`;
}

/** "1 message", "2,000 messages". */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
