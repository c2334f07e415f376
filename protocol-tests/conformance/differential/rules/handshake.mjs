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
    name: "two mistakes in one handshake",
    row: "A WebSocket handshake with more than one mistake",
    then: goOn,
    explains: ({ sent, reference, ours }) => asksFor(sent, "websocket") && isRefusal(reference) && isRefusal(ours),
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
    explains: ({ testCase, reference, ours }) => testCase.opened === "websocket" && reference === "no answer" && /^(426|400) /.test(ours),
  },
  {
    name: "JSONP for a session without",
    row: "A JSONP request for a session that did not begin with one",
    then: "end",
    explains: ({ testCase }) => testCase.opened === "polling" && testCase.requests.some(({ target }) => /[?&]j(=|&|$)/.test(target)),
  },
];

/** What one side refuses does not take the message that waits in the session, so that the next request differs, too. */
function goOn({ testCase }) {
  return testCase.opened === "none" ? "next step" : "end";
}

function isHandshake(testCase) {
  return testCase.kind === "handshake";
}

function isRefusal(line) {
  return /^4\d\d /.test(line);
}

/** The values of a header in a request of a case. */
export function header(sent, name) {
  return (sent?.headers ?? []).filter(([one]) => one === name).map(([, value]) => value);
}

function asksFor(sent, protocol) {
  return header(sent, "upgrade").some((value) => value.toLowerCase() === protocol);
}
