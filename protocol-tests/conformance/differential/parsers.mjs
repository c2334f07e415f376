// The two formats of Socket.IO: the packets in a stream of messages, as lines, and a mark in that format.

import msgpack from "socket.io-msgpack-parser";
import { canonical, ID, parsed } from "./normal.mjs";

/** JSON with placeholders, and attachments behind it, which are shown in their places. */
export class Plain {
  /** See observe/listen.mjs. */
  mark = { sends: { text: "40/~," }, isAnswer: ({ text }) => text === '44/~,{"message":"Invalid namespace"}' };
  #head = null;
  #attachments = [];
  /** The sockets that were connected, by id, in order. */
  ids = [];

  /** Joins the main namespace. */
  static join = { text: "40" };

  /** An event with one argument. */
  static ask(id, event, argument) {
    return { text: `42${id}${JSON.stringify([event, argument])}` };
  }

  /** What `ask` was answered: `{ id, data }`, or nothing if the message is something else. */
  static answer({ text = "" }) {
    const [, id, json] = /^43(\d+)(.*)$/.exec(text) ?? [];
    return id && { id: Number(id), data: JSON.parse(json) };
  }

  /** Whether a message of a case asks for a namespace. */
  asks(message) {
    return typeof message === "string" && message.startsWith("0");
  }

  /** A message has come: the line that tells of its packet, or null if attachments are missing. */
  add(message) {
    if (typeof message !== "string") {
      if (this.#head === null) return `stray attachment ${message.toString("hex")}`;
      this.#attachments.push(message);
    } else if (this.#head !== null) {
      return `text among attachments ${JSON.stringify(message)}`;
    } else {
      this.#head = split(message);
      if (this.#head === null) return `no packet ${JSON.stringify(message)}`;
    }
    if (this.#attachments.length < this.#head.count) return null;
    const { type, namespace, id, json } = this.#head;
    const data = this.#reconstruct(type, json);
    this.#head = null;
    this.#attachments = [];
    return `${NAMES[type]} ${namespace}${id && ` ${id}`}${data}`;
  }

  #reconstruct(type, json) {
    if (json === "") return "";
    const value = parsed(json, (_key, one) => {
      const at = one?._placeholder === true ? this.#attachments[one.num] : undefined;
      return at ?? one;
    });
    return value === undefined ? ` (no JSON) ${json}` : ` ${dataLine(Number(type), value, this.ids)}`;
  }
}

/** What clients of Socket.IO 2 get: no ids, as their sockets have that of the session, and errors that are texts. */
export class Plain2 extends Plain {
  mark = { sends: { text: "40/~," }, isAnswer: ({ text }) => text?.startsWith("44/~,") };

  constructor(sid) {
    super();
    this.sid = sid;
  }

  add(message) {
    const [, namespace] = /^0(?:(\/[^,]*),?)?$/.exec(message) ?? [];
    if (typeof message === "string" && message.startsWith("0")) this.ids.push(namespace === undefined ? this.sid : `${namespace}#${this.sid}`);
    return super.add(message);
  }
}

/** One message per packet, in MessagePack. */
export class Msgpack {
  mark = { sends: pack({ type: 0, nsp: "/~" }), isAnswer: ({ hex }) => unpack(hex)?.nsp === "/~" };
  ids = [];

  static join = pack({ type: 0, nsp: "/" });

  static ask(id, event, argument) {
    return pack({ type: 2, nsp: "/", id, data: [event, argument] });
  }

  static answer({ hex }) {
    const packet = unpack(hex);
    return packet?.type === 3 ? packet : undefined;
  }

  asks({ hex }) {
    return unpack(hex)?.type === 0;
  }

  add(message) {
    const packet = typeof message === "string" ? undefined : unpack(message.toString("hex"));
    if (packet === undefined) return `no packet ${JSON.stringify(message)}`;
    const { type, nsp, id, data } = packet;
    return `${NAMES[type]} ${nsp}${id === undefined ? "" : ` ${id}`}${data === undefined ? "" : ` ${dataLine(type, data, this.ids)}`}`;
  }
}

function pack(packet) {
  const [bytes] = new msgpack.Encoder().encode(packet);
  return { hex: bytes.toString("hex") };
}

/** The packet in a message, or nothing if it is none. */
export function unpack(hex) {
  let packet;
  const decoder = new msgpack.Decoder();
  decoder.on("decoded", (decoded) => (packet = decoded));
  try {
    decoder.add(Buffer.from(hex ?? "", "hex"));
  } catch {
    return undefined;
  }
  return packet;
}

/** The data of a packet; ids of sockets, which are noted when they connect, become `<id>`. */
function dataLine(type, data, ids) {
  if (type === 0 && ID.test(data?.sid)) {
    ids.push(data.sid);
    return canonical({ ...data, sid: "<id>" });
  }
  return canonical(withoutIds(data, ids));
}

/** Strings among which an id is may be sorted, and then stand in one order. */
function withoutIds(value, ids) {
  if (typeof value === "string") return ids.includes(value) ? "<id>" : value;
  if (!Array.isArray(value)) return value;
  const same = value.map((one) => withoutIds(one, ids));
  return same.includes("<id>") && same.every((one) => typeof one === "string") ? same.sort() : same;
}

// A packet that carries attachments is an event or an answer like any other, once it is complete.
const NAMES = ["connect", "disconnect", "event", "answer", "connect error", "event", "answer"];

function split(message) {
  const match = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d*)([^]*)$/.exec(message);
  if (match === null) return null;
  const [, type, count = "0", namespace = "/", id, json] = match;
  return { type, count: Number(count), namespace, id, json };
}

