// Packets of Socket.IO, valid and broken, and walks of several of them through the namespaces of one session.

import { mutate } from "../text.mjs";
import { json, object } from "./json.mjs";

/** A case: steps of one session, each one or several messages: text, or `{ hex }` for an attachment. */
export function socketCase(random) {
  const walk = new Walk(random);
  const steps = random.list(1, 8, () => walk.step());
  if (random.chance(0.9)) steps.unshift(["0"]);
  return { kind: "socket", carrier: random.pick(["polling", "polling", "websocket", "websocket", "upgrade"]), steps };
}

/** The same of a client of Socket.IO 2, which is in the main namespace without asking. */
export function socket2Case(random) {
  const walk = new Walk(random);
  return { kind: "socket2", server: "eio3", carrier: random.pick(["polling", "websocket"]), steps: random.list(1, 8, () => walk.step()) };
}

/** What a client would send next, if it made few mistakes. */
class Walk {
  #random;
  #joined = ["/"];

  constructor(random) {
    this.#random = random;
  }

  step() {
    const random = this.#random;
    return random.oneOf([
      [12, () => [this.#event()]],
      [4, () => [this.#command()]],
      [4, () => this.#binary()],
      [3, () => random.list(2, 4, () => this.#event())],
      [4, () => [this.#connect()]],
      [2, () => [this.#disconnect()]],
      [1, () => [this.#answer()]],
      [2, () => [mutate(random, this.#event())]],
      [1, () => [mutate(random, this.#connect())]],
      [1, () => this.#brokenBinary()],
      [2, () => [odd(random)]],
    ]);
  }

  #namespace() {
    return this.#random.chance(0.9) ? this.#random.pick(this.#joined) : this.#random.pick(NAMESPACES);
  }

  #connect() {
    const random = this.#random;
    const name = random.oneOf([
      [6, () => random.pick(["/", "/other", "/guarded"])],
      [2, () => random.pick(NAMESPACES)],
    ]);
    this.#joined.push(name);
    const auth = random.oneOf([
      [3, () => ""],
      [3, () => random.pick(['{"token":"secret"}', '{"token":"wrong"}', '{"token":"wrong","plain":true}', '{"token":1}'])],
      [3, () => object(random)],
      [1, () => json(random)],
    ]);
    return `0${prefix(random, name)}${auth}`;
  }

  #disconnect() {
    return `1${prefix(this.#random, this.#namespace())}${this.#random.chance(0.1) ? json(this.#random) : ""}`;
  }

  #event() {
    const random = this.#random;
    return `2${prefix(random, this.#namespace())}${ackId(random)}${call(random)}`;
  }

  /** An event that the fixture answers from what it knows; always as it wants it, since it is not what is tested. */
  #command() {
    const random = this.#random;
    return `2${prefix(random, this.#namespace())}${random.below(100)}${command(random)}`;
  }

  #answer() {
    const random = this.#random;
    const data = random.oneOf([
      [3, () => `[${json(random)}]`],
      [1, () => json(random)],
      [1, () => ""],
    ]);
    return `3${prefix(random, this.#namespace())}${random.pick(["0", "1", "7", ""])}${data}`;
  }

  /** An event or answer and its attachments, all of them. */
  #binary() {
    const random = this.#random;
    const count = random.between(1, 4);
    const places = Array.from({ length: count }, (_, num) => placeholder(random, num));
    const args = places.map((place) => random.pick([place, `{"deep":[${place}]}`, `[${place},1]`]));
    const type = random.pick([5, 5, 5, 6]);
    const payload = type === 5 ? ['"echo"', ...args] : args;
    const text = `${type}${count}-${prefix(random, this.#namespace())}${ackId(random)}[${payload.join(",")}]`;
    return [text, ...random.list(count, count, () => attachment(random))];
  }

  /** As above, with one thing wrong: the count, the numbers, too few attachments, too many, or one interrupted. */
  #brokenBinary() {
    const random = this.#random;
    const [text, ...attachments] = this.#binary();
    return random.oneOf([
      [2, () => [text.replace(/\d+-/, random.pick(["0-", "1-", "2-", "10-", "11-", "-", "-1-", "1.0-", "1.5-", "1e0-", " 1-", "01-", "x-", "1", "99999999999999999999-", "+1-", "0x1-"])), ...attachments]],
      [4, () => [text.replace(/"num":\d+/, `"num":${random.pick(["-1", "0.5", "1.0", "1e0", "99", '"0"', "null", "true", "[]", "{}", "-0", "1e999", "4294967296"])}`), ...attachments]],
      [1, () => [text.replace(/,?"num":\d+/, ""), ...attachments]],
      [1, () => [text.replaceAll(/"num":\d+/g, '"num":0'), ...attachments]],
      [1, () => [text.replace('"_placeholder":true', `"_placeholder":${random.pick(["false", "1", '"true"', "null"])}`), ...attachments]],
      [1, () => [text, ...attachments.slice(1)]],
      [1, () => [text, ...attachments, attachment(random)]],
      [1, () => [text, this.#event(), ...attachments]],
      [1, () => [mutate(random, text), ...attachments]],
      [1, () => attachments],
    ]);
  }
}

/** A namespace as it stands in a packet. */
function prefix(random, name) {
  if (name === "/") return random.chance(0.9) ? "" : "/,";
  return random.chance(0.02) ? name : `${name},`;
}

function ackId(random) {
  return random.oneOf([
    [4, () => ""],
    [6, () => String(random.below(100))],
    [1, () => random.pick(ACK_IDS)],
  ]);
}

/** The event's name and arguments. */
function call(random) {
  return random.oneOf([
    [10, () => `["echo"${random.list(0, 3, () => `,${json(random)}`).join("")}]`],
    [3, () => random.pick(NAMES)],
    [1, () => `["nobody listens",${json(random)}]`],
  ]);
}

function command(random) {
  return random.oneOf([
    [1, () => `["set",${random.chance(0.2) ? '"cut \\ud83d"' : json(random, 1)}]`],
    [1, () => '["get"]'],
    [1, () => '["auth"]'],
    [1, () => random.pick(['["join",["a"]]', '["join",["a","b",""]]', '["leave","a"]', '["rooms"]'])],
    [1, () => random.pick(['["burst",3]', '["burst",0]', '["leave me",false]', '["leave me",true]'])],
    [1, () => random.pick(['["reserved","connect"]', '["reserved","disconnect"]', '["reserved","fine"]', '["reserved","newListener"]'])],
  ]);
}

function odd(random) {
  return random.oneOf([
    [3, () => random.pick(ODD)],
    [1, () => `2${json(random)}`],
    [1, () => `2[${json(random)},1]`],
    [1, () => `${random.below(10)}${random.pick(NAMESPACES)},${random.below(10)}${json(random)}`],
    [1, () => `4${json(random)}`],
  ]);
}

function placeholder(random, num) {
  return random.oneOf([
    [8, () => `{"_placeholder":true,"num":${num}}`],
    [1, () => `{"num":${num},"_placeholder":true}`],
    [1, () => `{"_placeholder":true,"num":${num},"x":1}`],
    [1, () => `{ "_placeholder" : true , "num" : ${num} }`],
  ]);
}

function attachment(random) {
  return { hex: Buffer.from(random.list(0, 4, () => random.below(256))).toString("hex") };
}

const NAMESPACES = [
  "/", "/other", "/guarded", "/nope", "//", "/other/", "/other?x=1", "/?x", "/Other", "/é", "/😀", "/ ", "/__proto__", "/constructor",
  "/other#", "/%6fther", "/a/b/c", "/other\0", "/12", "/[", "/\"", `/${"n".repeat(254)}`, `/${"n".repeat(255)}`, `/${"n".repeat(300)}`,
];

const ACK_IDS = ["0", "00", "007", "9007199254740991", "9007199254740992", "18446744073709551615", "18446744073709551616", "1e3", "-1", "-0", "+1", "1.5", "0x10", " 1", "1 ", "\t1", "9".repeat(30), "9".repeat(310)];

const NAMES = [
  '["connect"]', '["connect_error"]', '["disconnect"]', '["disconnecting"]', '["newListener"]', '["removeListener"]', '["error",1]', '["__proto__",1]',
  '["constructor"]', '["toString",1]', '["hasOwnProperty"]', '[1,2]', '[0]', '[-1]', '[1.5]', '[1e3,"x"]', '[1e999]', '[-0]', '[01]', '[9007199254740993]', '[""]', '["", 1]',
  '[null]', '[true]', '[{}]', '[[]]', '[["echo"]]', '[{"toString":"foo"}]', '[]', '[ ]', '[ "echo" , 1 ]', '["ec\\u0068o",1]', '["\\ud800",1]', '{"0":"echo"}', '"echo"', "1",
  `["${"n".repeat(255)}"]`, `["${"n".repeat(256)}"]`, '["con\\u006eect"]', '[{"_placeholder":true,"num":0}]',
];

const ODD = ["", '50-["echo",1]', '50-7["echo"]', '50-/other,["echo"]', '60-1["x"]', "2", "3", "0", "1", "4", "5", "6", "7", "9", " 2[\"echo\"]", "\n", "x", "2/", "2/,", "2/other", "20", "2-", "1{}", "1[]", "1 ", "0[]", '0"x"', "0null", "01", "0,", "0,{}", "2,[\"echo\"]", "/", "4{}", '4"x"', "4", "2[\"echo\"]x", "2[\"echo\"] ", "2 [\"echo\"]", "2\n[\"echo\"]", '٢["echo"]', "-1"];
