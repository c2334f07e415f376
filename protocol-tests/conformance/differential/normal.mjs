// What came back, in one form for both servers: without ids, and without what no server promises, such as the order of
// the keys of an object.

export const ID = /^[A-Za-z0-9_-]{20}$/;

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
  // What JSON has no word for is `null`, as it is in lists in JavaScript.
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Buffer.isBuffer(value)) return `<${value.toString("hex")}>`;
  if (value instanceof Date) return JSON.stringify(value);
  const members = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

export function parsed(json, reviver) {
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
