// Requests that are refused, on purpose, in another way or for another reason.

export const handshakeRules = [
  {
    name: "origin that is no ASCII",
    row: "An `Origin` with bytes that are no ASCII",
    then: goOn,
    explains: ({ sent, ours }) => header(sent, "origin").some((origin) => /[^\x20-\x7e]/.test(origin)) && /^400 (\{"code":3|"Bad request"|"")/.test(ours),
  },
  {
    name: "WebSocket of another protocol",
    row: "A WebSocket that asks for another protocol version",
    then: goOn,
    explains: ({ testCase, reference, ours }) => isHandshake(testCase) && reference === '101 ""' && ours === '400 "Unsupported protocol version"',
  },
  {
    name: "WebSocket of long-polling",
    row: "An upgrade request with `transport=polling`",
    then: goOn,
    explains: ({ testCase, reference, ours }) => isHandshake(testCase) && reference === '101 ""' && ours === '400 "Bad request"',
  },
  {
    name: "words of a refused handshake",
    row: "What a refused WebSocket handshake is told",
    then: goOn,
    explains: ({ sent, reference, ours }) => asksFor(sent, "websocket") && /^40[05] /.test(reference) && ours.startsWith("400 "),
  },
  {
    name: "other WebSocket version",
    row: "An upgrade to another WebSocket version than 13",
    then: goOn,
    explains: ({ sent, ours }) => asksFor(sent, "websocket") && ours.startsWith("426 ") && header(sent, "sec-websocket-version")[0] !== "13",
  },
  {
    name: "upgrade to something else",
    row: "A request to upgrade to something else than WebSocket",
    then: goOn,
    explains: ({ sent, reference }) => header(sent, "upgrade").length > 0 && !asksFor(sent, "websocket") && /^(4\d\d |  content-type: text\/html)/.test(reference),
  },
  {
    name: "plain request for a WebSocket's session",
    row: "A request without an upgrade for a session that is on WebSocket",
    then: goOn,
    explains: ({ testCase, reference, ours }) => testCase.opened === "websocket" && reference === "no answer" && /^4\d\d /.test(ours),
  },
  {
    name: "foreign origin",
    row: "A WebSocket, or a request for a session, from an origin that a list of `cors` does not name",
    then: goOn,
    explains: ({ testCase, sent, ours }) =>
      testCase.server === "cors" && /^403 (\{"code":4|"Forbidden"|"")/.test(ours) && header(sent, "origin").some((origin) => !ALLOWED.includes(origin)),
  },
  {
    name: "foreign script",
    row: "A script (JSONP) for a page of an origin that a list of `cors` does not name",
    then: goOn,
    explains: ({ testCase, sent, ours }) => testCase.server === "cors" && ours.startsWith("403 ") && /[?&]j(=|&|$)/.test(sent.target),
  },
  {
    name: "CORS headers of a refused upgrade",
    row: "A refused upgrade, with `cors`",
    then: { reference: 0, ours: 1 },
    explains: ({ testCase, sent, ours }) => testCase.server === "cors" && header(sent, "upgrade").length > 0 && /^ {2}(vary|access-control-)/.test(ours),
  },
  {
    name: "upgrade without WebSocket",
    row: "An upgrade request to a server without WebSocket",
    then: goOn,
    explains: ({ testCase, sent }) => testCase.server === "cookie" && asksFor(sent, "websocket"),
  },
  {
    name: "preflight that upgrades",
    row: "A preflight request that asks for an upgrade",
    then: goOn,
    explains: ({ testCase, sent, reference, ours }) =>
      testCase.server === "cors" && sent.method === "OPTIONS" && header(sent, "upgrade").length > 0 && reference === "connection cut" && ours === '204 ""',
  },
  {
    name: "index of JSONP",
    row: "The index of JSONP",
    then: goOn,
    explains: ({ testCase, sent, ours }) => isHandshake(testCase) && /^(400|200) /.test(ours) && /[?&]j(?!=(0|[1-9]\d*)(&|$))(=|&|$)/.test(sent.target),
  },
  {
    name: "JSONP for a session without",
    row: "A JSONP request for a session that did not begin with one",
    then: "end",
    explains: ({ testCase }) => testCase.opened === "polling" && testCase.requests.some(({ target }) => /[?&]j(=|&|$)/.test(target)),
  },
];

/** See servers.mjs. */
const ALLOWED = ["http://example.com", "http://127.0.0.1"];

/** What one side refuses does not take the message that waits in the session, so that the next request differs, too. */
function goOn({ testCase }) {
  return testCase.opened === "none" ? "next step" : "end";
}

function isHandshake(testCase) {
  return testCase.kind === "handshake";
}

/** The values of a header in a request of a case. */
export function header(sent, name) {
  return (sent.headers ?? []).filter(([one]) => one === name).map(([, value]) => value);
}

function asksFor(sent, protocol) {
  return header(sent, "upgrade").some((value) => value.toLowerCase() === protocol);
}
