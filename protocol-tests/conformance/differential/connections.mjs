// One connection of a case to one server: requests one after another, or a WebSocket, and what comes back as values.

import { frame, opcodes, RawWebSocket } from "../lib/frames.mjs";
import { PATIENCE } from "../lib/wait.mjs";
import { request, Wire } from "../lib/wire.mjs";
import { v4 } from "./dialects.mjs";
import { bytesOf } from "./text.mjs";

/** A session over long-polling whose requests follow each other on one connection, as long as the server keeps it. */
export class Polling {
  #wire = null;
  /** Whether the server has closed the session, as far as is known here. */
  closed = false;
  /** Packets that came with the open packet. */
  unread = [];

  /** Makes a session; `open` is its first packet. */
  static async open(server, path, { dialect = v4, query = "" } = {}) {
    const session = new Polling(server, `${path}?${dialect.query}&transport=polling${query}`, dialect);
    [session.first, ...session.unread] = dialect.split(await session.ask("GET"));
    session.sid = JSON.parse(session.first.slice(1)).sid;
    session.target += `&sid=${session.sid}`;
    return session;
  }

  constructor(server, target, dialect) {
    this.server = server;
    this.target = target;
    this.dialect = dialect;
  }

  /** A response, or null if the server ended the connection instead. */
  async ask(method, { headers = {}, body } = {}) {
    if (this.#wire === null || this.#wire.ended) this.#wire = await Wire.open(this.server.port);
    const wire = this.#wire;
    await wire.write(request(method, this.target, { headers, body }));
    let response = null;
    try {
      response = await wire.response();
    } catch (error) {
      if (!wire.ended) throw error;
    }
    // A refusal may have left half a request behind.
    if (response?.status !== 200) this.hangUp();
    return response;
  }

  /** One body, text or bytes. */
  post(body, headers = []) {
    const all = { "content-type": "text/plain;charset=UTF-8", ...Object.fromEntries(headers) };
    return this.ask("POST", { headers: all, body: typeof body === "string" ? bytesOf(body) : body });
  }

  send(...packets) {
    return this.post(this.dialect.join(packets));
  }

  /** The packets of one poll, or those that came with the open packet; the last ones when the session is closed. */
  async poll() {
    if (this.unread.length > 0) return this.unread.splice(0);
    const response = await this.ask("GET");
    if (response?.status !== 200) {
      this.closed = true;
      return response === null ? ["(poll cut)"] : [`(poll ${response.status} ${response.body})`];
    }
    const packets = this.dialect.split(response);
    if (packets.includes("1")) this.closed = true;
    return packets;
  }

  hangUp() {
    this.#wire?.destroy();
    this.#wire = null;
  }
}

/** A WebSocket on which a case may send anything. */
export class Socket {
  closed = false;

  /** What the server answers to the request to change over. */
  static async dial(server, target) {
    const raw = await RawWebSocket.open(server, target);
    return new Socket(raw);
  }

  constructor(raw) {
    this.raw = raw;
    this.response = raw.response;
  }

  /** One frame of a case: see generate/engine.mjs. */
  async send(one) {
    if (!this.raw.wire.ended) await this.raw.wire.write(frameBytes(one));
  }

  /** The next frame as a value; after the server's close frame or the connection's end, `closed` is true. */
  async next(ms = PATIENCE) {
    let received;
    try {
      received = await this.raw.next(ms);
    } catch (error) {
      if (!this.raw.wire.ended) throw error;
      this.closed = true;
      return { end: true };
    }
    const { opcode, payload } = received;
    if (opcode === opcodes.text) return { text: payload.toString() };
    if (opcode === opcodes.binary) return { hex: payload.toString("hex") };
    if (opcode === opcodes.close) {
      this.closed = true;
      return { close: payload.length < 2 ? 1005 : payload.readUInt16BE() };
    }
    return { control: opcode, hex: payload.toString("hex") };
  }

  hangUp() {
    this.raw.wire.destroy();
  }
}

function frameBytes({ text, hex, pieces, close, reason = "", opcode, ...bits }) {
  if (close !== undefined) {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(close);
    payload.write(reason, 2);
    return frame({ opcode: opcodes.close, payload });
  }
  if (pieces !== undefined) {
    const frames = pieces.map((piece, i) =>
      frame({ opcode: i === 0 ? opcodes.text : opcodes.continuation, payload: bytesOf(piece), fin: i + 1 === pieces.length }),
    );
    return Buffer.concat(frames);
  }
  if (hex !== undefined) return frame({ opcode: opcode ?? opcodes.binary, payload: Buffer.from(hex, "hex"), ...bits });
  return frame({ opcode: opcode ?? opcodes.text, payload: bytesOf(text ?? ""), ...bits });
}
