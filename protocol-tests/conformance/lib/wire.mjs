// One TCP connection on which a test writes HTTP by hand, in the pieces it likes, and reads what comes back.

import { connect } from "node:net";
import { PATIENCE, within } from "./wait.mjs";

const open = new Set();

/** Ends every connection that a test has left open: they would keep the process alive. */
export function hangUp() {
  for (const socket of open) socket.destroy();
}

export class Wire {
  #socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #changed = () => {};

  /** Resolves when the connection stands. */
  static async open(port) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await within(new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject)), "a connection");
    return new Wire(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("data", (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#changed();
    });
    const end = () => {
      this.#ended = true;
      this.#changed();
    };
    // An error is an end: which of the two a reset is depends on the moment.
    socket.on("error", end).on("end", end).on("close", end);
  }

  write(bytes) {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Writes each piece as a segment of its own. */
  async writePieces(pieces) {
    for (const piece of pieces) {
      await this.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Takes no byte from now on, so that the server's pile up. */
  stopReading() {
    this.#socket.pause();
  }

  /** Closes our half only. */
  finish() {
    this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** Ends the connection with a reset instead of an end. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  get ended() {
    return this.#ended;
  }

  /** Everything received so far that was not taken. */
  get received() {
    return this.#bytes;
  }

  /** Waits until the server has closed the connection, and returns the bytes that came before. */
  async end(ms = PATIENCE) {
    await this.#until(() => this.#ended, "the end of the connection", ms);
    return this.#take(this.#bytes.length);
  }

  async bytes(count, ms = PATIENCE) {
    await this.#until(() => this.#bytes.length >= count || this.#ended, `${count} bytes`, ms);
    if (this.#bytes.length < count) throw new Error(`the connection ended after ${this.#bytes.length} of ${count} bytes`);
    return this.#take(count);
  }

  /** One HTTP response. `bodiless` for the answer to a HEAD request. */
  async response({ bodiless = false, ms = PATIENCE } = {}) {
    const headEnd = () => this.#bytes.indexOf("\r\n\r\n");
    await this.#until(() => headEnd() >= 0 || this.#ended, "the head of a response", ms);
    if (headEnd() < 0) throw new Error(`the connection ended before a response: ${JSON.stringify(this.#bytes.toString())}`);
    const head = this.#take(headEnd() + 4).toString("latin1").slice(0, -4);
    const [line, ...lines] = head.split("\r\n");
    const headers = {};
    for (const one of lines) headers[one.slice(0, one.indexOf(":")).toLowerCase()] = one.slice(one.indexOf(":") + 1).trim();
    const status = Number(line.split(" ")[1]);
    const none = bodiless || status === 101 || status === 204 || status === 304;
    const body = none ? Buffer.alloc(0) : await this.#body(headers, ms);
    return { status, line, head, headers, body: body.toString("utf8"), bytes: body };
  }

  async #body(headers, ms) {
    if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
      const chunks = [];
      for (;;) {
        const size = parseInt(await this.#line(ms), 16);
        if (size === 0) break;
        chunks.push(await this.bytes(size, ms));
        await this.bytes(2, ms);
      }
      while ((await this.#line(ms)) !== "");
      return Buffer.concat(chunks);
    }
    if (headers["content-length"] !== undefined) return this.bytes(Number(headers["content-length"]), ms);
    return this.end(ms);
  }

  async #line(ms) {
    const at = () => this.#bytes.indexOf("\r\n");
    await this.#until(() => at() >= 0 || this.#ended, "a line", ms);
    if (at() < 0) throw new Error("the connection ended in the middle of a line");
    return this.#take(at() + 2).toString("latin1").slice(0, -2);
  }

  #take(count) {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  async #until(done, what, ms) {
    if (done()) return;
    const happened = new Promise((resolve) => {
      this.#changed = () => done() && resolve();
    });
    await within(happened, what, ms);
  }
}

/** The bytes of a request. A body given as text or buffer gets its Content-Length. */
export function request(method, path, { headers = {}, body } = {}) {
  const all = { host: "127.0.0.1", ...headers };
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  if (body !== undefined && all["transfer-encoding"] === undefined) all["content-length"] ??= bytes.length;
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"), bytes]);
}

/** One request on a connection of its own. */
export async function ask(server, method, path, options = {}) {
  const wire = await Wire.open(server.port);
  try {
    await wire.write(request(method, path, options));
    return await wire.response({ bodiless: method === "HEAD", ms: options.ms });
  } finally {
    wire.destroy();
  }
}

/** The headers with which a WebSocket client asks for its upgrade. */
export const upgradeHeaders = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
