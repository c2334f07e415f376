// What came back, in one form for both servers: without ids, and without what no server promises, such as the order of
// the keys of an object.

const ID = /^[A-Za-z0-9_-]{20}$/;

/** An Engine.IO packet as text; ids become `<id>`. */
export function enginePacket(text) {
  if (text.startsWith("0{")) {
    const handshake = parsed(text.slice(1));
    if (handshake && ID.test(handshake.sid)) return `open ${canonical({ ...handshake, sid: "<id>" })}`;
  }
  return JSON.stringify(text);
}

/** The lines that tell of a response: status, body, and those headers that mean something to a client. */
export function response(got) {
  if (got === null) return ["connection cut"];
  // Everything about it is the fixture's, not the server's.
  if (got.status === 404) return ["404"];
  const headers = HEADERS.filter((name) => got.headers[name] !== undefined).map((name) => `  ${name}: ${header(name, got.headers[name])}`);
  const body = got.body.startsWith("0{") ? got.body.split("\x1e").map(enginePacket).join(" ") : refusal(got.body);
  return [`${got.status} ${body}`, ...headers];
}

/** JSON with sorted keys, so that equal values are equal texts. Numbers are those of JavaScript, as on the clients. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Buffer.isBuffer(value)) return `<${value.toString("hex")}>`;
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** The Socket.IO packets in a stream of messages, each with its attachments in their places. */
export class SocketPackets {
  #head = null;
  #attachments = [];
  /** The sockets that were connected, by id, in order. */
  ids = [];

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
    if (value === undefined) return ` (no JSON) ${json}`;
    if (type === "0" && ID.test(value?.sid)) {
      this.ids.push(value.sid);
      return ` ${canonical({ ...value, sid: "<id>" })}`;
    }
    return ` ${canonical(this.#withoutIds(value))}`;
  }

  /** The ids among strings, which may be sorted by them, stand in one order. */
  #withoutIds(value) {
    if (typeof value === "string") return this.ids.includes(value) ? "<id>" : value;
    if (!Array.isArray(value)) return value;
    const same = value.map((one) => this.#withoutIds(one));
    return same.includes("<id>") && same.every((one) => typeof one === "string") ? same.sort() : same;
  }
}

// A packet that carries attachments is an event or an answer like any other, once it is complete.
const NAMES = ["connect", "disconnect", "event", "answer", "connect error", "event", "answer"];

function split(message) {
  const match = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d*)([^]*)$/.exec(message);
  if (match === null) return null;
  const [, type, count = "0", namespace = "/", id, json] = match;
  return { type, count: Number(count), namespace, id, json };
}

function parsed(json, reviver) {
  try {
    return JSON.parse(json, reviver);
  } catch {
    return undefined;
  }
}

function refusal(body) {
  const value = body.startsWith("{") ? parsed(body) : undefined;
  return value === undefined ? JSON.stringify(body).replace(/(sid\W+)[\w-]{20}/g, "$1<id>") : canonical(value);
}

function header(name, value) {
  return name === "set-cookie" ? value.replace(/=[A-Za-z0-9_-]{20}(;|$)/, "=<id>$1") : value.toLowerCase();
}

const HEADERS = [
  "content-type", "cache-control", "set-cookie", "content-encoding", "vary", "x-xss-protection", "allow",
  "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods", "access-control-allow-headers",
  "access-control-expose-headers", "access-control-max-age", "sec-websocket-accept", "sec-websocket-version",
  "sec-websocket-protocol", "sec-websocket-extensions",
];
