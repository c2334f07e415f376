// Engine.IO sessions driven packet by packet, over polling and over WebSocket, with the same few verbs.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { Inbox, PATIENCE, settle, within } from "./wait.mjs";
import { ask, request, Wire } from "./wire.mjs";

export const ENGINE = "/engine.io/";
export const SOCKET = "/socket.io/";

const SEPARATOR = "\x1e";

/** A session over long-polling: `next` polls when nothing is left of the last answer. */
export class PollingSession {
  static transport = "polling";
  #packets = [];

  static async open(server, path = ENGINE, query = "") {
    const response = await ask(server, "GET", `${path}?EIO=4&transport=polling${query}`);
    assert.equal(response.status, 200, response.body);
    return new PollingSession(server, path, response.body);
  }

  constructor(server, path, firstBody) {
    const [open, ...rest] = firstBody.split(SEPARATOR);
    assert.equal(open[0], "0");
    this.server = server;
    this.path = path;
    this.handshake = JSON.parse(open.slice(1));
    this.sid = this.handshake.sid;
    this.url = `${path}?EIO=4&transport=polling&sid=${this.sid}`;
    this.#packets.push(...rest);
  }

  /** One GET, as it comes. */
  poll(options) {
    return ask(this.server, "GET", this.url, options);
  }

  /** One POST, as it is answered. */
  post(body, headers = {}) {
    return ask(this.server, "POST", this.url, { body, headers: { "content-type": "text/plain;charset=UTF-8", ...headers } });
  }

  /** Writes a request on a connection of its own, which is returned. The rest of its body is for the test to write. */
  async begin(method, options) {
    const wire = await Wire.open(this.server.port);
    await wire.write(request(method, this.url, options));
    return wire;
  }

  /** The connection of a GET that the server has parked. */
  async park() {
    const wire = await this.begin("GET");
    await settle();
    return wire;
  }

  /** Sends packets in one POST: text with its type digit, or a buffer as a binary message. */
  async send(...packets) {
    const encoded = packets.map((one) => (typeof one === "string" ? one : `b${one.toString("base64")}`));
    const response = await this.post(encoded.join(SEPARATOR));
    assert.equal(`${response.status} ${response.body}`, "200 ok");
  }

  async next(ms = PATIENCE) {
    if (this.#packets.length === 0) {
      const response = await this.poll({ ms });
      assert.equal(response.status, 200, response.body);
      this.#packets.push(...response.body.split(SEPARATOR));
    }
    const packet = this.#packets.shift();
    return packet[0] === "b" ? Buffer.from(packet.slice(1), "base64") : packet;
  }

  /** Resolves when the server has closed the session: a close packet, the sid is unknown, or the server is gone. Returns the packets until then. */
  async ended(ms = PATIENCE) {
    const before = [];
    for (;;) {
      if (this.#packets.length === 0) {
        const response = await this.poll({ ms }).catch((error) => ({ error }));
        if (response.error?.code === "ECONNREFUSED" || response.status === 400) return before;
        if (response.error) continue;
        this.#packets.push(...response.body.split(SEPARATOR));
      }
      const packet = this.#packets.shift();
      if (packet === "1") return before;
      before.push(packet);
    }
  }

  /** Ends the session as a client does that goes away. */
  async leave() {
    await this.post("1").catch(() => {});
  }
}

const openWebSockets = new Set();

/** Ends every WebSocket that a test has left open: they would keep the process alive. */
export function hangUpWebSockets() {
  for (const socket of openWebSockets) socket.terminate();
}

/** A session over WebSocket, from the start or as the probe of another session (`sid`). */
export class WebSocketSession {
  static transport = "websocket";

  static async open(server, path = ENGINE, query = "") {
    const session = await WebSocketSession.dial(server, path, query);
    const open = await session.next();
    assert.equal(open[0], "0");
    session.handshake = JSON.parse(open.slice(1));
    session.sid = session.handshake.sid;
    return session;
  }

  /** Only the WebSocket: nothing is awaited and nothing is sent. */
  static async dial(server, path = ENGINE, query = "", options = {}) {
    const url = `ws://127.0.0.1:${server.port}${path}?EIO=4&transport=websocket${query}`;
    const session = new WebSocketSession(new WebSocket(url, { perMessageDeflate: false, ...options }));
    await within(session.opened, "the WebSocket to open");
    return session;
  }

  constructor(socket) {
    this.socket = socket;
    this.inbox = new Inbox();
    openWebSockets.add(socket);
    socket.once("close", () => openWebSockets.delete(socket));
    this.opened = new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    /** `{ code, reason }` of the close. */
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        this.inbox.end(`the WebSocket closed with ${code}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on("message", (data, isBinary) => this.inbox.put(isBinary ? data : data.toString()));
    socket.on("error", () => {});
  }

  async send(...packets) {
    for (const packet of packets) this.socket.send(packet);
  }

  next(ms = PATIENCE) {
    return this.inbox.take("a packet", ms);
  }

  async ended(ms = PATIENCE) {
    await within(this.closed, "the WebSocket to close", ms);
    const before = [];
    while (this.inbox.waiting > 0) before.push(await this.inbox.take());
    return before;
  }

  async leave() {
    this.socket.close();
    await within(this.closed, "the WebSocket to close");
  }

  /** Goes away without a word. */
  vanish() {
    this.socket.terminate();
  }
}

export const carriers = [PollingSession, WebSocketSession];

/** What the server knows of an Engine.IO session, asked through another one that behaves well. */
class Observer {
  #answers = new Inbox();

  static async open(server) {
    return new Observer(await WebSocketSession.open(server));
  }

  constructor(session) {
    this.session = session;
    this.#pump();
  }

  status(sid) {
    return this.#ask(`status ${sid}`);
  }

  /** The close reasons of the session, as soon as it has one. */
  async reasons(sid) {
    return (await this.#ask(`closed ${sid}`)).reasons;
  }

  open() {
    return this.#ask("open");
  }

  leave() {
    return this.session.leave();
  }

  async #pump() {
    try {
      for (;;) {
        const packet = await this.session.next(2 ** 31 - 1);
        if (packet === "2") await this.session.send("3");
        else this.#answers.put(packet.slice(1));
      }
    } catch (error) {
      this.#answers.end(`the observer: ${error.message}`);
    }
  }

  async #ask(command) {
    await this.session.send(`4!${command}`);
    return JSON.parse(await this.#answers.take(`the answer to ${command}`));
  }
}

/** An observer for one test. */
export async function observe(t, server) {
  const observer = await Observer.open(server);
  t.after(() => observer.leave());
  return observer;
}
