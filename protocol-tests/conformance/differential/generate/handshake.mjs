// Requests to the path of Engine.IO: methods, paths, query strings and headers, with a session and without.

import { brokenUtf8, mutate } from "../text.mjs";

/** A case: requests on connections of their own. `{sid}` in a target is the id of a session that was opened before. */
export function handshakeCase(random) {
  const server = random.pick(["default", "default", "cookie", "cors", "webSocket only"]);
  const possible = { default: ["none", "none", "polling", "websocket"], cookie: ["none", "polling"], cors: ["none", "polling", "websocket"], "webSocket only": ["none", "websocket"] };
  const opened = random.pick(possible[server]);
  return { kind: "handshake", server, opened, requests: random.list(1, 2, () => request(random, opened)) };
}

function request(random, opened) {
  const upgrade = random.chance(0.3);
  const method = random.oneOf([
    [upgrade ? 30 : 8, () => "GET"],
    [2, () => "POST"],
    [2, () => random.pick(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])],
  ]);
  const headers = random.list(0, 2, () => header(random));
  if (upgrade) headers.push(...upgradeHeaders(random));
  const made = { method, target: target(random, opened, upgrade), headers };
  if (method !== "GET" && method !== "HEAD") {
    made.body = random.pick(["4hello", "", "4a\x1e4b", "1", "x"]);
    if (random.chance(0.3)) headers.push(["content-type", random.pick(CONTENT_TYPES)]);
  }
  return made;
}

function target(random, opened, upgrade) {
  const path = random.oneOf([
    [20, () => "/engine.io/"],
    [1, () => random.pick(upgrade ? OUR_PATHS : [...OUR_PATHS, ...OTHER_PATHS])],
  ]);
  const parameters = [eio(random), transport(random, upgrade)];
  if (opened === "none" ? random.chance(0.2) : random.chance(0.9)) parameters.push(sid(random, opened));
  parameters.push(...random.list(0, 1, () => random.pick(EXTRAS)));
  if (random.chance(0.1)) parameters.splice(random.below(parameters.length), 1);
  if (random.chance(0.05)) parameters.push(random.pick(parameters));
  if (random.chance(0.2)) parameters.reverse();
  const query = parameters.join("&");
  // Only what may stand in a request line: everything else is a matter of the HTTP library.
  return `${path}?${random.chance(0.1) ? mutate(random, query).replace(/[^\w.~:/?@!$&'()*+,;=%{}-]/gu, "") : query}`;
}

function eio(random) {
  return random.oneOf([
    [12, () => "EIO=4"],
    [1, () => `EIO=${random.pick(["3", "5", "", "04", "4.0", "4%20", "4+", "%34", "four"])}`],
    [1, () => random.pick(["eio=4", "EIO", "%45IO=4", "EIO=4&EIO=3", "EIO=3&EIO=4"])],
  ]);
}

function transport(random, upgrade) {
  return random.oneOf([
    [12, () => `transport=${upgrade ? "websocket" : "polling"}`],
    [2, () => `transport=${upgrade ? "polling" : "websocket"}`],
    [2, () => `transport=${random.pick(TRANSPORTS)}`],
  ]);
}

function sid(random, opened) {
  const known = opened === "none" ? 0 : 12;
  return random.oneOf([
    [known, () => "sid={sid}"],
    [1, () => `sid=${random.pick(["", "abcdefghijklmnopqrst", "x", "__proto__", "constructor", "%00", "%ff", "0", "{sid}x"])}`],
  ]);
}

function header(random) {
  return random.oneOf([
    [3, () => ["origin", random.pick(["http://127.0.0.1", "http://example.com", "null", "", "*", `http://${brokenUtf8(random)}`, "x y"])]],
    [1, () => ["user-agent", random.pick(["Mozilla/4.0 (compatible;MSIE 8.0)", "Trident/7.0", "curl"])]],
    [1, () => ["cookie", random.pick(["io=x", "a=b; io=y", ""])]],
    [1, () => ["accept-encoding", random.pick(["gzip", "deflate", "br", "*", ""])]],
    [1, () => ["access-control-request-method", random.pick(["POST", "X"])]],
    [1, () => ["access-control-request-headers", random.pick(["x-one", "a, b", ""])]],
    [1, () => ["x-forwarded-for", "1.2.3.4"]],
  ]);
}

/** The headers of a WebSocket's handshake, in which one thing may be wrong. */
function upgradeHeaders(random) {
  const headers = [
    ["connection", random.pick(["Upgrade", "Upgrade", "keep-alive, Upgrade", "upgrade"])],
    ["upgrade", random.pick(["websocket", "websocket", "websocket", "WebSocket"])],
    ["sec-websocket-version", "13"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ];
  random.oneOf([
    [12, () => {}],
    [1, () => headers.splice(random.between(2, 3), 1)],
    [1, () => (headers[2][1] = random.pick(["8", "12", "14", "x", "", "013"]))],
    [1, () => (headers[3][1] = random.pick(["", "short", "dGhlIHNhbXBsZSBub25jZQ", "????????????????????????"]))],
    [1, () => (headers[1][1] = random.pick(["h2c", "x"]))],
    [1, () => headers.push(["sec-websocket-extensions", random.pick(["permessage-deflate", "constructor", "x; y=1", "permessage-deflate; server_no_context_takeover"])])],
    [1, () => headers.push(["sec-websocket-protocol", random.pick(["a", "a, b"])])],
  ]);
  return headers;
}

const OUR_PATHS = ["/engine.io/x", "/engine.io//", "/engine.io/x/y", "/engine.io/%2e%2e", "/engine.io/;a"];

const OTHER_PATHS = ["/engine.io", "/Engine.io/", "/engine.iox/", "/"];

const TRANSPORTS = ["", "Polling", "tobi", "webtransport", "constructor", "__proto__", "toString", "flashsocket", "polling,websocket", "%70olling", "polling%00"];

const EXTRAS = ["t=abc", "b64=1", "j=0", "x=%zz", "x=%ff", "=", "x", "token=a+b", "a[b]=c"];

const CONTENT_TYPES = ["text/plain", "text/plain;charset=UTF-8", "application/octet-stream", "application/octet-stream; x=1", "application/json", "text/html", ""];
