// Sessions of Engine.IO alone: bodies of long-polling, frames of WebSockets, and the probe of an upgrade.

import { brokenUtf8, mutate } from "../text.mjs";

const SEPARATOR = "\x1e";

/** A case of posts, each a body that is answered before the next one. */
export function pollingCase(random) {
  return { kind: "polling", server: random.chance(0.3) ? "small" : "default", posts: random.list(1, 4, () => post(random)) };
}

function post(random) {
  const made = { body: body(random) };
  if (random.chance(0.1)) made.headers = [["content-type", random.pick(["text/plain", "application/octet-stream", "application/octet-stream;charset=x", "text/html", ""])]];
  if (random.chance(0.05)) made.headers = [["content-encoding", random.pick(["identity", "gzip", "x"])]];
  return made;
}

function body(random) {
  const text = random.oneOf([
    [10, () => random.list(1, 5, () => packet(random)).join(SEPARATOR)],
    [2, () => random.list(1, 40, () => packet(random)).join(SEPARATOR)],
    [2, () => random.pick(["", SEPARATOR, `4a${SEPARATOR}`, `${SEPARATOR}4a`, `4a${SEPARATOR}${SEPARATOR}4b`])],
    [2, () => atTheLimit(random)],
  ]);
  return harmless(random.chance(0.15) ? mutate(random, text) : text);
}

/** Near the 1000 bytes that the server called "small" takes. */
function atTheLimit(random) {
  const bytes = random.pick([990, 998, 999, 1000, 1001, 1002, 1100]);
  const filler = random.pick(["x", "é", "€", "😀"]);
  const width = Buffer.byteLength(filler);
  const rest = bytes - 1;
  return `4${"y".repeat(rest % width)}${filler.repeat(Math.floor(rest / width))}`;
}

function packet(random) {
  return random.oneOf([
    [12, () => `4${text(random)}`],
    [5, () => `b${base64(random)}`],
    [2, () => "3"],
    [1, () => "6"],
    [1, () => random.pick(["4!burst 3", "4!burst 0", "4!burst 17", "4!status x", "4!closed x"])],
    [1, () => random.pick(["0", "1", "2", "3probe", "2probe", "5", "0{}", "1x", "4!close", "6x", "5x"])],
    [1, () => random.pick(["7", "9", "a", "B", " 4", "-", "\0", "é", "", "b*", "b=", "b "])],
  ]);
}

function text(random) {
  return random.oneOf([
    [6, () => random.pick(["", "hello", "héllo €", "😀", "\0", "\n", "4", "b", "\u2028", "\ufeff", "\r\n", '{"a":1}'])],
    [1, () => "x".repeat(random.pick([1, 50, 125, 126, 127, 200]))],
    [1, () => brokenUtf8(random)],
  ]);
}

function base64(random) {
  const data = Buffer.from(random.list(0, 8, () => random.below(256)));
  return random.oneOf([
    [6, () => data.toString("base64")],
    [1, () => data.toString("base64url")],
    [1, () => data.toString("base64").replaceAll("=", "")],
    [1, () => random.pick(["A", "AA", "AAA", "AAAAA", "AA=A", "AA==AA==", "=", "====", "AB==", "A A A A", "AAAA\n", "é", "AQI=x", "-_-_", "+/+/", "AAAA="])],
  ]);
}

/** A case of frames on a WebSocket that begins a session. */
export function webSocketCase(random) {
  return { kind: "websocket", server: random.chance(0.3) ? "small" : "default", frames: random.list(1, 6, () => frame(random)) };
}

function frame(random) {
  const made = random.oneOf([
    [12, () => ({ text: packet(random) })],
    [4, () => ({ hex: Buffer.from(random.list(0, 8, () => random.below(256))).toString("hex") })],
    [1, () => ({ text: mutate(random, packet(random)) })],
    [1, () => ({ text: atTheLimit(random) })],
    [1, () => special(random)],
  ]);
  return made.text === undefined ? made : { ...made, text: harmless(made.text) };
}

/** What only a frame can be: fragments, control frames, wrong bits. */
function special(random) {
  return random.oneOf([
    [3, () => ({ text: random.pick(["", "x"]), opcode: 9 })],
    [1, () => ({ text: "", opcode: 10 })],
    [2, () => ({ pieces: random.pick(["4héllo €", "", "4", "3"]).split("") })],
    [1, () => ({ text: "4x", fin: false })],
    [1, () => ({ text: "x", opcode: 0 })],
    [1, () => ({ text: "4x", rsv: random.pick([1, 2, 4]) })],
    [1, () => ({ text: "4x", masked: false })],
    [1, () => ({ text: "4x", opcode: random.pick([3, 7, 11, 15]) })],
    [1, () => ({ text: "x".repeat(126), opcode: 9 })],
    [1, () => ({ text: "", opcode: 9, fin: false })],
    [2, () => ({ close: random.pick([1000, 1001, 1002, 1005, 1006, 1015, 999, 3000, 4999, 5000, 0]), reason: random.pick(["", "bye"]) })],
    [1, () => ({ hex: random.pick(["", "00", "03", "03e8ff"]), opcode: 8 })],
  ]);
}

/**
 * A case of an upgrade: what is sent on the WebSocket that probes a session of long-polling, and on the session itself
 * before each frame.
 */
export function probeCase(random) {
  const right = [{ text: "2probe" }, { text: "5" }, { text: "4after" }];
  const frames = random.oneOf([
    [4, () => right],
    [2, () => [...right, ...random.list(0, 3, () => frame(random))]],
    [3, () => right.map((one) => (random.chance(0.3) ? probing(random) : one))],
    [2, () => random.list(1, 4, () => probing(random))],
  ]);
  return {
    kind: "probe",
    // A poll in flight, which the probe must get answered.
    parked: random.chance(0.3),
    before: random.list(0, 2, () => random.pick(["4a", "4!burst 3", "bAQI=", "4é"])),
    frames,
    after: random.list(0, 2, () => random.pick(["4late", "4!close", "1", "bAQI="])),
  };
}

function probing(random) {
  return random.oneOf([
    [3, () => ({ text: random.pick(["2probe", "5", "2", "2Probe", "2probe ", "3probe", "4early", "1", "0", "6", "5x", "", "x"]) })],
    [1, () => ({ hex: random.pick(["", "01", "32", "3270726f6265"]) })],
    [1, () => special(random)],
  ]);
}

/** Commands of the fixture stay what they are: how it reads broken ones is not what is compared. */
function harmless(text) {
  return text.replace(/!(?!(close|burst (0|3|17)|status x|closed x)(\x1e|$))/g, "?");
}
