// What sessions of protocol 3 take differently on purpose.

import { byLength, isEnd } from "./sent.mjs";

export const engine3Rules = [
  {
    name: "protocol 3: binary packet of no type",
    row: "A binary packet of protocol 3 of no known type",
    then: "end",
    explains: ({ testCase, step, ours }) => isProtocol3(testCase) && (isEnd(ours) || isGone(ours)) && sentUpTo(testCase, step).some(isBinaryOfNoType),
  },
  {
    name: "protocol 3: ping with data",
    row: "A ping of protocol 3 with data",
    then: { reference: 1, ours: 1 },
    explains: ({ testCase, reference, ours }) => isProtocol3(testCase) && reference === '"3"' && /^"3./.test(ours) && ours !== reference,
  },
  {
    name: "protocol 3: length that is no plain number",
    row: "Lengths in bodies of protocol 3",
    then: "end",
    explains: ({ testCase, step }) => isProtocol3(testCase) && (testCase.posts ?? []).slice(0, step).some(({ body }) => hasOddLength(body ?? "")),
  },
  {
    name: "protocol 3: malformed bytes",
    row: "Lengths in bodies of protocol 3",
    then: "end",
    explains: ({ testCase, step }) => isProtocol3(testCase) && (testCase.posts ?? []).slice(0, step).some(({ hex }) => breaksOff(Buffer.from(hex ?? "", "hex"))),
  },
  {
    name: "protocol 3: half a surrogate pair",
    row: "A string with half a surrogate pair",
    then: "end",
    explains: ({ testCase, step }) => isProtocol3(testCase) && (testCase.posts ?? []).slice(0, step).some(({ body }) => cutsPair(body ?? "")),
  },
];

function isProtocol3(testCase) {
  return testCase.server === "eio3";
}

function isGone(line) {
  return line.startsWith('400 {"code":1');
}

function sentUpTo(testCase, step) {
  return (testCase.frames ?? testCase.posts ?? []).slice(0, step);
}

/** A frame of bytes begins with the type as a byte, base64 with its digit. */
function isBinaryOfNoType({ text, body, hex, headers }) {
  if (body !== undefined) return [...byLength(body)].some(([, packet]) => /^b(?![0-6])/.test(packet));
  if (text !== undefined) return /^b(?![0-6])/.test(text);
  return headers === undefined && !/^0[0-6]/.test(hex);
}

function hasOddLength(body) {
  return [...byLength(body)].some(([length]) => !/^(0|[1-9]\d*)$/.test(length));
}

function cutsPair(body) {
  return [...byLength(body)].some(([, packet]) => !packet.isWellFormed());
}

/** Whether a packet in a body of bytes is shorter than it says, has no length, or is neither text nor binary. */
function breaksOff(body) {
  for (let rest = body; rest.length > 0; ) {
    const mark = rest.indexOf(0xff);
    const end = mark + 1 + Number([...rest.subarray(1, mark)].join(""));
    if (rest[0] > 1 || mark < 0 || end > rest.length) return true;
    rest = rest.subarray(end);
  }
  return false;
}
