// JSON texts of all kinds, most of them valid, some that only look like it.

/** A JSON value as text. */
export function json(random, depth = 3) {
  const nested = depth > 0 ? 1 : 0;
  return random.oneOf([
    [6, () => string(random)],
    [5, () => number(random)],
    [3, () => random.pick(["null", "true", "false"])],
    [4 * nested, () => `[${random.list(0, 4, () => json(random, depth - 1)).join(gap(random, ","))}]`],
    [4 * nested, () => object(random, depth)],
    [nested, () => deep(random)],
    [1, () => random.pick(NEARLY)],
  ]);
}

/** A JSON object as text, such as a client sends as `auth`. */
export function object(random, depth = 2) {
  const members = random.list(0, 4, () => `${key(random)}${gap(random, ":")}${json(random, depth - 1)}`);
  return `{${members.join(gap(random, ","))}}`;
}

export function string(random) {
  return random.oneOf([
    [6, () => JSON.stringify(random.pick(["", "a", "hello", "héllo €", "😀", "\u2028", "a\"b\\c\n", "~", "__proto__", "undefined"]))],
    [2, () => random.pick(ESCAPED)],
    [1, () => `"${"x".repeat(random.pick([1, 100, 254, 255, 256, 300]))}"`],
  ]);
}

function number(random) {
  return random.oneOf([
    [4, () => String(random.between(-5, 300))],
    [4, () => random.pick(NUMBERS)],
  ]);
}

function key(random) {
  return random.pick(['"a"', '"b"', '"a"', '"1"', '"0"', '""', '"__proto__"', '"constructor"', '"toString"', '"toJSON"', '"then"', '"length"', '"_placeholder"', '"\\u0061"', '"é"']);
}

function deep(random) {
  const levels = random.pick([5, 20, 60, 100, 124, 125, 126, 127, 128, 129, 130, 200]);
  return random.pick([
    () => "[".repeat(levels) + "]".repeat(levels),
    () => '{"a":'.repeat(levels) + "1" + "}".repeat(levels),
  ])();
}

/** Sometimes with blanks, which JSON allows between tokens. */
function gap(random, token) {
  return random.chance(0.1) ? random.pick([` ${token}`, `${token} `, `\t${token}\n`]) : token;
}

const ESCAPED = ['"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\u0041"', '"\\/"', '"\\b\\f"', '"\\ud800\\ud800"', '"\x7f"'];

const NUMBERS = [
  "0", "-0", "1.0", "1.5", "-1", "1e3", "1E+2", "1e-7", "1e21", "1e308", "1e309", "1e999", "-1e999", "1e-999",
  "9007199254740991", "9007199254740992", "9007199254740993", "18446744073709551615", "18446744073709551616",
  "123456789012345678901234567890", "0.1", "0.30000000000000004", "5e-324", "2.2250738585072011e-308",
];

/** What JSON does not allow, though it looks much like it. */
const NEARLY = ["01", "+1", "1.", ".5", "1e", "-", "0x10", "NaN", "Infinity", "undefined", "'a'", '"a', "tru", "[1,]", "{a:1}", '{"a"}', "[1 2]", '"\\x41"', '"\\u12"', '"\t"', "/*x*/1", "1//x", "\u00a01", "\ufeff1"];
