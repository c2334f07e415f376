// Packets in MessagePack that are taken differently on purpose.

import { unpack } from "../parsers.mjs";
import { isEnd } from "./sent.mjs";

export const msgpackRules = [
  {
    name: "MessagePack: name of an event",
    row: "The name of an event, with the parser for MessagePack",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ type, data }) => type === 2 && !isName(data?.[0])),
  },
  {
    name: "MessagePack: ack id out of range",
    row: "An acknowledgement id",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ id }) => typeof id === "number" && !(id >= 0 && id <= Number.MAX_SAFE_INTEGER)),
  },
  {
    name: "MessagePack: name of a namespace",
    row: "A CONNECT in MessagePack to a namespace without a slash",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ nsp }) => typeof nsp === "string" && !nsp.startsWith("/")),
  },
  {
    name: "MessagePack: long name of a namespace",
    row: "The name of a namespace",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ nsp }) => typeof nsp === "string" && nsp.length > 255),
  },
  {
    name: "MessagePack: whole number above 2^64",
    row: "A whole number above 2^64 in MessagePack",
    then: { reference: 1, ours: 1 },
    explains: ({ testCase, reference, ours }) => testCase.kind === "msgpack" && differInLargeNumbers(reference, ours),
  },
  {
    name: "MessagePack: object like a placeholder",
    row: "An object with a member `_placeholder` that is true, beside binary data, in MessagePack",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ data }) => contains(data, isPlaceholder) && contains(data, Buffer.isBuffer)),
  },
  {
    name: "MessagePack: many binary values",
    row: "Binary values in one packet",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && packets(testCase, step).some(({ data }) => count(data, Buffer.isBuffer) > 10),
  },
  {
    name: "MessagePack: broken bytes",
    row: "Text that is not UTF-8, and keys of maps that are neither text nor integers, in MessagePack",
    then: "end",
    explains: ({ testCase, step, ours }) => isEnd(ours) && messages(testCase, step).some(({ mutated }) => mutated),
  },
];

const NUMBER = /-?\d+(?:\.\d+)?(?:e[-+]?\d+)?/g;

const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/** Whether two lines are equal but for numbers which, in ours, no integer of 64 bits can hold. */
function differInLargeNumbers(reference, ours) {
  const [numbers, others] = [reference, ours].map((line) => line.match(NUMBER) ?? []);
  const isLarge = (number) => Math.abs(Number(number)) >= 2 ** 63;
  return (
    reference !== ours &&
    reference.replace(NUMBER, "#") === ours.replace(NUMBER, "#") &&
    numbers.every((number, at) => number === others[at] || isLarge(others[at]))
  );
}

function contains(value, what) {
  return count(value, what) > 0;
}

/** How many of the values in a value are what is asked for. */
function count(value, what) {
  if (what(value)) return 1;
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value)) return 0;
  return Object.values(value).reduce((sum, one) => sum + count(one, what), 0);
}

function isPlaceholder(value) {
  return value?._placeholder === true;
}

function isName(name) {
  return typeof name === "string" ? !RESERVED.includes(name) : Number.isSafeInteger(name);
}

function messages(testCase, step) {
  return testCase.kind === "msgpack" ? testCase.steps.slice(0, step).flat() : [];
}

function packets(testCase, step) {
  return messages(testCase, step).flatMap(({ hex }) => unpack(hex) ?? []);
}
