// A WebSocket made by hand: frames with any bits and lengths, in any pieces, for what a well-behaved client cannot send.

import { PATIENCE } from "./wait.mjs";
import { request, upgradeHeaders, Wire } from "./wire.mjs";

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The bytes of one frame. `declared` announces another length than the payload has. */
export function frame({ opcode = opcodes.text, payload = "", fin = true, rsv = 0, masked = true, declared } = {}) {
  const data = Buffer.from(payload);
  const length = declared ?? data.length;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  let head;
  if (length < 126) head = Buffer.from([first, bit | length]);
  else if (length < 65536) {
    head = Buffer.from([first, bit | 126, 0, 0]);
    head.writeUInt16BE(length, 2);
  } else {
    head = Buffer.from([first, bit | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!masked) return Buffer.concat([head, data]);
  const key = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  return Buffer.concat([head, key, data.map((byte, i) => byte ^ key[i % 4])]);
}

export function closeFrame(code, reason = "") {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return frame({ opcode: opcodes.close, payload });
}

export class RawWebSocket {
  constructor(wire, response) {
    this.wire = wire;
    this.response = response;
  }

  /** Asks for an upgrade. `extra` follows the request in the same segment. */
  static async open(server, path, { headers = {}, extra = Buffer.alloc(0) } = {}) {
    const wire = await Wire.open(server.port);
    await wire.write(Buffer.concat([request("GET", path, { headers: { ...upgradeHeaders, ...headers } }), extra]));
    return new RawWebSocket(wire, await wire.response());
  }

  send(options) {
    return this.wire.write(frame(typeof options === "string" ? { payload: options } : options));
  }

  /** The server's next frame: `{ fin, rsv, opcode, payload, masked }`. */
  async next(ms = PATIENCE) {
    const [first, second] = await this.wire.bytes(2, ms);
    let length = second & 0x7f;
    if (length === 126) length = (await this.wire.bytes(2, ms)).readUInt16BE();
    else if (length === 127) length = Number((await this.wire.bytes(8, ms)).readBigUInt64BE());
    const payload = await this.wire.bytes(length, ms);
    return { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, opcode: first & 15, masked: (second & 0x80) !== 0, payload };
  }

  async nextText(ms) {
    const { opcode, payload } = await this.next(ms);
    if (opcode !== opcodes.text) throw new Error(`a frame of opcode ${opcode} instead of text: ${payload.toString("hex")}`);
    return payload.toString();
  }

  /** The code of the server's close frame, whatever came before it; null if the connection just ended. */
  async closeCode(ms = PATIENCE) {
    for (;;) {
      let received;
      try {
        received = await this.next(ms);
      } catch (error) {
        if (this.wire.ended) return null;
        throw error;
      }
      if (received.opcode === opcodes.close) return received.payload.length < 2 ? 1005 : received.payload.readUInt16BE();
    }
  }
}
