// Packets of Engine.IO that are taken differently on purpose.

import { bytesOf } from "../text.mjs";
import { header } from "./handshake.mjs";
import { bodies, frames, packets } from "./sent.mjs";

export const engineRules = [
  {
    name: "broken UTF-8 in a body",
    row: "A body of long-polling that is not UTF-8",
    then: "end",
    explains: ({ testCase, step }) => testCase.carrier !== "websocket" && bodies(testCase, step).some((body) => !isUtf8(body)),
  },
  {
    name: "broken base64",
    row: "A binary packet that is not base64",
    then: "end",
    explains: ({ testCase, step }) => packets(testCase, step).some((packet) => isBrokenBase64(packet, testCase.server === "eio3" ? 2 : 1)),
  },
  {
    name: "compressed body",
    row: "A body with a `Content-Encoding`",
    then: "end",
    explains: ({ sent, ours }) => header(sent, "content-encoding").some((coding) => coding !== "identity") && ours === '415 ""',
  },
  {
    name: "close packet on a WebSocket",
    row: "A close packet on a WebSocket",
    then: "end",
    explains: ({ testCase, step, ours }) => /^(close frame 1005|messages received)/.test(ours) && frames(testCase, step).some((text) => (testCase.server === "eio3" ? /^b?1/ : /^1/).test(text)),
  },
  {
    name: "upgrade without a probe",
    row: "An upgrade packet without a probe before it",
    then: "end",
    explains: ({ testCase, step }) => testCase.kind === "probe" && upgradesUnprobed(frames(testCase, step)),
  },
  {
    name: "close code that may not be sent",
    row: "A close frame with a code that may not be sent",
    then: { reference: 1, ours: 1 },
    explains: ({ testCase, reference, ours }) =>
      reference === "ended by: transport error" && ours === "ended by: transport close" && testCase.frames?.some(({ close }) => close !== undefined),
  },
];

function upgradesUnprobed(texts) {
  const upgrade = texts.findIndex((text) => text.startsWith("5"));
  return upgrade >= 0 && !texts.slice(0, upgrade).includes("2probe");
}

function isUtf8(text) {
  const bytes = bytesOf(text);
  return bytes.equals(Buffer.from(bytes.toString()));
}

/** Padding may be missing, but nothing may follow it. */
function isBrokenBase64(packet, start) {
  if (!packet.startsWith("b")) return false;
  const digits = packet.slice(start).replace(/=*$/, "");
  return /[^A-Za-z0-9+/_-]/.test(digits) || digits.length % 4 === 1;
}
