// Packets of Socket.IO in MessagePack, valid and broken, in each of the widths that a value may be written in.

/** A case: steps of one session, each one or several messages in bytes. */
export function msgpackCase(random) {
  const steps = random.list(1, 6, () => step(random));
  if (random.chance(0.9)) steps.unshift([plain(random, { type: 0, nsp: "/" })]);
  return { kind: "msgpack", server: "msgpack", carrier: random.pick(["polling", "websocket"]), steps };
}

function step(random) {
  return random.oneOf([
    [10, () => [plain(random, event(random))]],
    [2, () => random.list(2, 3, () => plain(random, event(random)))],
    [3, () => [plain(random, command(random))]],
    [3, () => [plain(random, { type: 0, nsp: random.pick(["/", "/other", "/guarded", "/nope"]), ...(random.chance(0.5) ? { data: auth(random) } : {}) })]],
    [1, () => [plain(random, { type: 1, nsp: namespace(random) })]],
    [1, () => [plain(random, { type: 3, nsp: namespace(random), id: random.below(3), data: [value(random)] })]],
    [3, () => [plain(random, odd(random))]],
    [3, () => [{ hex: mutate(random, pack(random, event(random))).toString("hex"), mutated: true }]],
  ]);
}

function plain(random, packet) {
  return { hex: pack(random, packet).toString("hex") };
}

function event(random) {
  return { type: 2, nsp: namespace(random), ...id(random), data: ["echo", ...random.list(0, 3, () => value(random))] };
}

/** An event that the fixture answers from what it knows; always as it wants it, since it is not what is tested. */
function command(random) {
  return { type: 2, nsp: "/", id: random.below(50), data: random.pick([["get"], ["auth"], ["rooms"], ["join", ["a"]], ["set", random.below(9)]]) };
}

function auth(random) {
  return random.pick([{ token: "secret" }, {}, [], null, "x", { é: [1] }]);
}

/** A packet with something about it that may be wrong. */
function odd(random) {
  const right = { type: 2, nsp: "/", id: 1, data: ["echo", 1] };
  return random.oneOf([
    [3, () => ({ ...right, type: random.pick([-1, 5, 6, 1.5, "2", null, true, new Float(2), 2 ** 40]) })],
    [3, () => ({ ...right, nsp: random.pick([null, 1, "", "other", [], "/é", `/${"n".repeat(300)}`, Buffer.from("/")]) })],
    [3, () => ({ ...right, id: random.pick([null, -1, 1.5, "1", 2 ** 53 - 1, 2 ** 53, new Float(7), true, UNDEFINED]) })],
    [4, () => ({ ...right, data: random.pick([null, {}, "echo", [], [null], [1, 2], [1.5], [["echo"]], [{}], ["connect"], ["newListener"], [""], [Buffer.from("echo")], UNDEFINED]) })],
    [2, () => ({ type: 0, nsp: random.pick(["", "other", "/é", `/${"n".repeat(300)}`]) })],
    [1, () => ({ ...right, data: ["echo", ...random.list(9, 12, () => Buffer.from([1]))] })],
    [1, () => ({ ...right, extra: value(random, 1), attachments: 3 })],
    [1, () => ({ data: right.data, nsp: "/", type: 2 })],
    [1, () => random.pick([null, 1, "x", [], [right], {}, Buffer.alloc(2), UNDEFINED])],
    [1, () => ({ type: random.pick([0, 1, 3, 4]), nsp: "/", data: value(random, 1) })],
  ]);
}

function namespace(random) {
  return random.chance(0.85) ? "/" : random.pick(["/other", "/nope", "/guarded"]);
}

function id(random) {
  return random.chance(0.6) ? { id: random.below(300) } : {};
}

// No key is __proto__: npm's parser makes the value the object's prototype, and may end its process when it answers.
function value(random, depth = 3) {
  const nested = depth > 0 ? 1 : 0;
  return random.oneOf([
    [4, () => random.pick(["", "a", "héllo €", "😀", "\0", "x".repeat(31), "x".repeat(32), "x".repeat(255), "x".repeat(256), "_placeholder"])],
    [4, () => random.pick([0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1])],
    [2, () => new Float(random.pick([0, 0.5, 1, -1.25, 1e21, 5e-324, Infinity, -0]))],
    [2, () => random.pick([null, true, false])],
    [3, () => Buffer.from(random.list(0, 4, () => random.below(256)))],
    [3 * nested, () => random.list(0, 4, () => value(random, depth - 1))],
    [3 * nested, () => Object.fromEntries(random.list(0, 4, () => [random.pick(["a", "b", "1", "", "num", "_placeholder", "toJSON"]), value(random, depth - 1)]))],
  ]);
}

/** A number that is written as a float, whatever it is. */
class Float {
  constructor(value) {
    this.value = value;
  }
}

/** What npm's parser writes for `undefined`. */
const UNDEFINED = Symbol("undefined");

/** The bytes of a value, in the shortest form or in a wider one. */
function pack(random, value) {
  if (value === null) return Buffer.from([0xc0]);
  if (value === UNDEFINED) return Buffer.from([0xd4, 0, 0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (value instanceof Float) return float(value.value);
  if (typeof value === "number") return Number.isInteger(value) ? integer(random, value) : float(value);
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([head(random, text.length, [[0xa0, 31], [0xd9, 0xff], [0xda, 0xffff], [0xdb, 2 ** 32 - 1]]), text]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([head(random, value.length, [[0xc4, 0xff], [0xc5, 0xffff], [0xc6, 2 ** 32 - 1]]), value]);
  const lengths = (fixed, sixteen) => [[fixed, 15], [sixteen, 0xffff], [sixteen + 1, 2 ** 32 - 1]];
  if (Array.isArray(value)) return Buffer.concat([head(random, value.length, lengths(0x90, 0xdc)), ...value.map((one) => pack(random, one))]);
  const members = Object.entries(value);
  return Buffer.concat([head(random, members.length, lengths(0x80, 0xde)), ...members.flat().map((one) => pack(random, one))]);
}

/** The byte and length that begin a value: the first form that is wide enough, or sometimes the next one. */
function head(random, length, forms) {
  let at = forms.findIndex(([, most]) => length <= most);
  if (random.chance(0.1) && at + 1 < forms.length) at += 1;
  const [byte, most] = forms[at];
  if (most < 0xff) return Buffer.from([byte | length]);
  const size = most === 0xff ? 1 : most === 0xffff ? 2 : 4;
  const bytes = Buffer.alloc(1 + size, byte);
  bytes.writeUIntBE(length, 1, size);
  return bytes;
}

function integer(random, value) {
  const bytes = Buffer.alloc(9);
  const forms = value < 0 ? [[0xd0, 1, 2 ** 7], [0xd1, 2, 2 ** 15], [0xd2, 4, 2 ** 31]] : [[0xcc, 1, 2 ** 8 - 1], [0xcd, 2, 2 ** 16 - 1], [0xce, 4, 2 ** 32 - 1]];
  if (random.chance(0.9) && value >= -32 && value < 128) return Buffer.from([value & 0xff]);
  const form = forms.find(([, , most]) => Math.abs(value) <= most);
  if (form === undefined || random.chance(0.1)) {
    bytes[0] = value < 0 ? 0xd3 : 0xcf;
    bytes[value < 0 ? "writeBigInt64BE" : "writeBigUInt64BE"](BigInt(value), 1);
    return bytes;
  }
  const [byte, size] = form;
  bytes[0] = byte;
  bytes[value < 0 ? "writeIntBE" : "writeUIntBE"](value, 1, size);
  return bytes.subarray(0, 1 + size);
}

function float(value) {
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function mutate(random, bytes) {
  const at = random.below(bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + 1)];
  const byte = Buffer.from([random.pick([0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc7, 0xcb, 0xcf, 0xd4, 0xd6, 0xd7, 0xd9, 0xdb, 0xdd, 0xdf, 0xe0, 0xff, random.below(256)])]);
  return random.oneOf([
    [3, () => Buffer.concat([before, byte, after])],
    [2, () => Buffer.concat([before, byte, bytes.subarray(at)])],
    [2, () => Buffer.concat([before, after])],
    [1, () => Buffer.from(before)],
    [1, () => Buffer.concat([bytes, byte])],
  ]);
}
