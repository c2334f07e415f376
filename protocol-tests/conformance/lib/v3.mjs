// Engine.IO sessions of protocol 3 driven packet by packet, with the verbs of sessions.mjs, and the two forms of its payloads.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { ENGINE, WebSocketSession } from "./sessions.mjs";
import { PATIENCE, within } from "./wait.mjs";
import { ask } from "./wire.mjs";

const OCTET_STREAM = "application/octet-stream";

/** Packets as one text body: text with its type digit, a buffer as a binary message. Lengths are those of JavaScript. */
export function textPayload(packets) {
  const text = (one) => (typeof one === "string" ? one : `b4${one.toString("base64")}`);
  return packets.map((one) => `${text(one).length}:${text(one)}`).join("");
}

/** The same as a binary body, in which lengths count bytes. */
export function binaryPayload(packets) {
  return Buffer.concat(packets.flatMap((one) => frameOf(one)));
}

function frameOf(packet) {
  const isText = typeof packet === "string";
  const bytes = isText ? Buffer.from(packet) : Buffer.concat([Buffer.from([4]), packet]);
  return [Buffer.from([isText ? 0 : 1, ...Array.from(String(bytes.length), Number), 255]), bytes];
}

/** The packets of a response, by its content type. */
export function packetsOf({ headers, body, bytes }) {
  return headers["content-type"] === OCTET_STREAM ? fromBinary(bytes) : fromText(body);
}

function fromText(body) {
  const packets = [];
  for (let at = 0; at < body.length; ) {
    const colon = body.indexOf(":", at);
    const end = colon + 1 + Number(body.slice(at, colon));
    const packet = body.slice(colon + 1, end);
    packets.push(packet.startsWith("b4") ? Buffer.from(packet.slice(2), "base64") : packet);
    at = end;
  }
  return packets;
}

function fromBinary(bytes) {
  const packets = [];
  for (let at = 0; at < bytes.length; ) {
    const mark = bytes.indexOf(255, at);
    const end = mark + 1 + Number([...bytes.subarray(at + 1, mark)].join(""));
    const packet = bytes.subarray(mark + 1, end);
    if (bytes[at] === 1) assert.equal(packet[0], 4, "a binary packet is a message");
    packets.push(bytes[at] === 0 ? packet.toString() : packet.subarray(1));
    at = end;
  }
  return packets;
}

/** A session over long-polling. Its polls bring binary bodies where there are bytes, unless it asks for base64 (`&b64=1`). */
export class PollingSession3 {
  static transport = "polling";
  #packets = [];

  static async open(server, path = ENGINE, query = "") {
    const response = await ask(server, "GET", `${path}?EIO=3&transport=polling${query}`);
    assert.equal(response.status, 200, response.body);
    return new PollingSession3(server, path, response);
  }

  constructor(server, path, first) {
    const [open, ...rest] = packetsOf(first);
    assert.equal(open[0], "0");
    this.server = server;
    this.path = path;
    this.first = first;
    this.handshake = JSON.parse(open.slice(1));
    this.sid = this.handshake.sid;
    this.url = `${path}?EIO=3&transport=polling&sid=${this.sid}`;
    this.#packets.push(...rest);
  }

  /** One GET, as it comes. */
  poll(options) {
    return ask(this.server, "GET", this.url, options);
  }

  /** One POST, as it is answered: text, or a buffer as a binary body. */
  post(body) {
    const type = typeof body === "string" ? "text/plain;charset=UTF-8" : OCTET_STREAM;
    return ask(this.server, "POST", this.url, { body, headers: { "content-type": type } });
  }

  async send(...packets) {
    const isBinary = packets.some((one) => typeof one !== "string");
    const response = await this.post(isBinary ? binaryPayload(packets) : textPayload(packets));
    assert.equal(`${response.status} ${response.body}`, "200 ok");
  }

  async next(ms = PATIENCE) {
    if (this.#packets.length === 0) {
      const response = await this.poll({ ms });
      assert.equal(response.status, 200, response.body);
      this.#packets.push(...packetsOf(response));
    }
    return this.#packets.shift();
  }

  async leave() {
    await this.post("1:1").catch(() => {});
  }
}

/** A session over WebSocket, or the probe of one (`&sid=`). */
export class WebSocketSession3 extends WebSocketSession {
  static async open(server, path = ENGINE, query = "") {
    const session = await WebSocketSession3.dial(server, path, query);
    const open = await session.next();
    assert.equal(open[0], "0");
    session.handshake = JSON.parse(open.slice(1));
    session.sid = session.handshake.sid;
    return session;
  }

  static async dial(server, path = ENGINE, query = "") {
    const url = `ws://127.0.0.1:${server.port}${path}?EIO=3&transport=websocket${query}`;
    const session = new WebSocketSession3(new WebSocket(url, { perMessageDeflate: false }));
    await within(session.opened, "the WebSocket to open");
    return session;
  }

  /** A buffer is a binary message: its type comes first. */
  async send(...packets) {
    await super.send(...packets.map((one) => (typeof one === "string" ? one : Buffer.concat([Buffer.from([4]), one]))));
  }

  async next(ms) {
    const packet = await super.next(ms);
    if (typeof packet === "string") return packet;
    assert.equal(packet[0], 4, "a binary packet is a message");
    return packet.subarray(1);
  }
}

export const carriers3 = [PollingSession3, WebSocketSession3];

/** Moves a polling session to a WebSocket as the official client does. */
export async function upgrade3(session) {
  const socket = await WebSocketSession3.dial(session.server, session.path, `&sid=${session.sid}`);
  await socket.send("2probe");
  assert.equal(await socket.next(), "3probe");
  assert.equal(await session.next(), "6");
  await socket.send("5");
  return socket;
}
