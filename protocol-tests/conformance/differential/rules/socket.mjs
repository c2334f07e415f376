// Packets of Socket.IO that are taken differently on purpose.

export const socketRules = [
  {
    name: "reason of a broken protocol",
    row: "The reason when a client breaks the protocol",
    then: { reference: 1, ours: 1 },
    explains: ({ testCase, step, reference, ours }) =>
      reference === "left: forced server close" &&
      // The close packet of a client that leaves may come right behind.
      (ours === "left: forced close" || (ours === "left: transport close" && messages(testCase, step).some((text) => text.includes("\x1e1")))),
  },
  {
    name: "ack id out of range",
    row: "An acknowledgement id above 2^53 - 1",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && heads(testCase, step).some(({ id }) => BigInt(id || 0) > MAX_SAFE || id.length > 16),
  },
  {
    name: "long name of a namespace",
    row: "The name of a namespace",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && heads(testCase, step).some(({ namespace }) => Buffer.byteLength(namespace) > 255),
  },
  {
    name: "deep JSON",
    row: "Depth of JSON",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && heads(testCase, step).some(({ json }) => depth(json) > 127),
  },
  {
    name: "long name of an event",
    row: "The name of an event",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && eventNames(testCase, step).some((name) => typeof name === "string" && Buffer.byteLength(name) > 255),
  },
  {
    name: "number as an event's name",
    row: "An event whose name is a number, but no integer in plain digits",
    then: "end",
    explains: ({ testCase, step, ours }) =>
      isEnd(ours) && heads(testCase, step).some(({ json }) => /^\[\s*-?\d/.test(json) && !isPlainInteger(/^\[\s*(-?[^\s,\]]*)/.exec(json)[1])),
  },
  {
    name: "num that is no plain integer",
    row: "A placeholder whose `num` is no integer in plain digits",
    then: "end",
    explains: ({ testCase, step, ours }) =>
      isEnd(ours) && heads(testCase, step).some(({ json }) => [...json.matchAll(/"num"\s*:\s*([-\d][^\s,}]*)/g)].some(([, num]) => !/^(0|[1-9]\d*)$/.test(num))),
  },
  {
    name: "binary packet without attachments",
    row: "A binary packet of Socket.IO that announces no attachments",
    then: "end",
    explains: ({ testCase, step, reference }) => isEnd(reference) && messages(testCase, step).some((text) => /^[56]0+-/.test(text)),
  },
  {
    name: "blank for a digit",
    row: "A blank where a digit may stand",
    then: "end",
    explains: ({ testCase, step }) => messages(testCase, step).some((text) => /^\s|^\d(\d*\s*\d*-)?(\/[^,]*,)?\d*\s/.test(text)),
  },
  {
    name: "number that is infinite",
    row: "A number that no double can hold",
    then: "end",
    explains: ({ testCase, step }) => heads(testCase, step).some(({ json }) => [...json.matchAll(/-?\d+(\.\d+)?([eE][-+]?\d+)?/g)].some(([number]) => !Number.isFinite(Number(number)))),
  },
  {
    name: "event's name that is no Unicode",
    row: "A string with half a surrogate pair",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && eventNames(testCase, step).some((name) => typeof name === "string" && !name.isWellFormed()),
  },
  {
    name: "namespace as a URL",
    row: "The namespace that a client 2 names",
    then: "end",
    explains: ({ testCase, step }) => testCase.kind === "socket2" && heads(testCase, step).some(({ namespace }) => isOtherUrl(namespace)),
  },
  {
    name: "half a surrogate pair in a value",
    row: "A string with half a surrogate pair",
    then: { reference: 1, ours: 1 },
    explains: ({ reference, ours }) => reference !== ours && halvesReplaced(reference) === ours,
  },
  {
    name: "answers before a broken packet",
    row: "What came before a broken packet in the same body or segment",
    then: "end",
    explains: ({ sent, referenceRest, reference, oursRest }) =>
      sent.length > 1 && isEnd(reference) && oursRest.some(isEnd) && referenceRest.length <= oursRest.length,
  },
  {
    name: "disconnect before a broken packet",
    row: "What came before a broken packet in the same body or segment",
    then: { reference: 1, ours: 1 },
    explains: ({ testCase, reference, ours }) =>
      /^left: (forced (server )?close|parse error)$/.test(reference) &&
      ours === "left: client namespace disconnect" &&
      testCase.steps.some((messages) => messages.length > 1 || String(messages[0]).includes("\x1e")),
  },
  {
    name: "packet behind a disconnect by the server",
    row: "A packet for a namespace from which the server has just disconnected the client",
    then: "end",
    explains: ({ testCase, step, reference }) => isEnd(reference) && messages(testCase, step).some((text) => text.includes('["leave me",false]')),
  },
];

const MAX_SAFE = 2n ** 53n - 1n;

function isEnd(line) {
  return line === '"1"' || line.startsWith("close frame") || line === "connection ended";
}

/** The texts that were sent up to a step. */
function messages(testCase, step) {
  return (testCase.steps ?? []).slice(0, step).flat().filter((one) => typeof one === "string");
}

/** Those texts taken apart as far as they are packets. */
function heads(testCase, step) {
  return messages(testCase, step).flatMap((text) => {
    const match = /^\d(?:\d+-)?(?:(\/[^,]*)(?:,|$))?(\d*)([^]*)$/.exec(text);
    return match === null ? [] : [{ namespace: match[1] ?? "/", id: match[2], json: match[3] }];
  });
}

function eventNames(testCase, step) {
  return heads(testCase, step).flatMap(({ json }) => {
    try {
      return [JSON.parse(json)[0]];
    } catch {
      return [];
    }
  });
}

/** Whether a name means something else, or nothing, as the path of a URL. */
function isOtherUrl(name) {
  return !URL.canParse(name, "https://socket.io") || new URL(name, "https://socket.io").pathname !== name.split("?")[0];
}

/** A line with each half of a surrogate pair, which JSON writes as an escape, replaced. */
function halvesReplaced(line) {
  return line.replace(/\\ud[89a-f][0-9a-f]{2}/g, "\ufffd");
}

function isPlainInteger(number) {
  return /^-?(0|[1-9]\d*)$/.test(number) && BigInt(number) <= MAX_SAFE && BigInt(number) >= -MAX_SAFE;
}

function depth(json) {
  let [level, deepest] = [0, 0];
  for (const symbol of json.replace(/"(\\.|[^"\\])*"/g, "")) {
    if (symbol === "[" || symbol === "{") deepest = Math.max(deepest, (level += 1));
    else if (symbol === "]" || symbol === "}") level -= 1;
  }
  return deepest;
}
