// Sessions of Engine.IO's protocol 3: bodies whose packets stand behind their lengths, as text and as bytes, and frames.

import { brokenUtf8, mutate } from "../text.mjs";

/** A case of posts over long-polling. */
export function polling3Case(random) {
  return { kind: "polling3", server: "eio3", base64: random.chance(0.3), posts: random.list(1, 4, () => post(random)) };
}

function post(random) {
  if (random.chance(0.25)) return { hex: binaryBody(random).toString("hex"), headers: [["content-type", "application/octet-stream"]] };
  const body = random.oneOf([
    [10, () => random.list(1, 5, () => framed(random)).join("")],
    [1, () => random.pick(["", ":", "1", "1:", "0:", "2:4", "1:44", "-1:4", "01:4", "1.0:4", "1e0:4", " 1:4", "1 :4", "0x1:4", "NaN:4", "Infinity:4", "99999999999999999999:4"])],
  ]);
  return { body: harmless(random.chance(0.15) ? mutate(random, body) : body) };
}

function framed(random) {
  const text = packet(random);
  const length = random.chance(0.95) ? text.length : text.length + random.pick([-1, 1, 100]);
  return `${length}:${text}`;
}

function packet(random) {
  return random.oneOf([
    [12, () => `4${random.pick(["", "hello", "héllo €", "😀", "😀😀x", "\0", "\n", ":", "1:4", "\u2028", "\ufeff", '{"a":1}'])}`],
    [4, () => `b4${Buffer.from(random.list(0, 6, () => random.below(256))).toString("base64")}`],
    [3, () => random.pick(["2", "2probe", "2x", "2é"])],
    [1, () => random.pick(["4!burst 3", "4!burst 0", "4!burst 17", "4!status x"])],
    [1, () => random.pick(["0", "1", "3", "5", "6", "1x", "4!close"])],
    [1, () => random.pick(["", "7", "9", "a", " 4", "b", "b0AQI=", "b9AQI=", "bxAQI=", "b4*", "b4A", "é", "\x1e"])],
    [1, () => `4${brokenUtf8(random)}`],
  ]);
}

/** Bytes: 0 for text or 1 for binary, the digits of the length, 255, the packet. */
function binaryBody(random) {
  const parts = random.list(1, 4, () => {
    const isText = random.chance(0.5);
    const data = isText ? Buffer.from(harmless(`4${random.pick(["", "hello", "x"])}`)) : Buffer.from([4, ...random.list(0, 6, () => random.below(256))]);
    const length = random.chance(0.95) ? data.length : data.length + random.pick([-1, 1]);
    return Buffer.from([isText ? 0 : 1, ...String(length).split("").map(Number), 255, ...data]);
  });
  return Buffer.concat(parts);
}

/** A case of frames on a WebSocket that begins a session. */
export function webSocket3Case(random) {
  const frame = () =>
    random.oneOf([
      [8, () => ({ text: harmless(packet(random)) })],
      [2, () => ({ text: harmless(mutate(random, packet(random))) })],
      [4, () => ({ hex: Buffer.from([random.pick([4, 4, 4, 4, 4, 0, 1, 2, 3, 5, 6, 7, 255]), ...random.list(0, 6, () => random.below(256))]).toString("hex") })],
      [1, () => ({ hex: "" })],
    ]);
  return { kind: "websocket3", server: "eio3", base64: random.chance(0.3), frames: random.list(1, 5, frame) };
}

function harmless(text) {
  return text.replace(/!(?!(close|burst (0|3|17)|status x)(?![^\d:]|\w))/g, "?");
}
