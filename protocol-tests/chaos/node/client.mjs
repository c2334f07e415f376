// The official client as one who takes part: an outbox with one message in flight, and a cursor. Its history goes to
// the standard output; `drain` and `done` come from the standard input.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../conformance/package.json", import.meta.url));
const { io } = require("socket.io-client");

const { url, name, seed, clientId, think } = JSON.parse(process.argv[2]);
const answerWithin = 1000;

let phase = "storm";
// Everything up to this has come, of this epoch.
let cursor = 0;
let epoch;
let seq = 0;
let draws = 0;
let pending;

const now = () => Number(process.hrtime.bigint() / 1000n);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function note(op, type, key, value) {
  console.log(JSON.stringify({ t: now(), proc: name, op, type, ...(key && { key }), ...(value && { value }) }));
}

/** A number from 0 up to the limit, which follows from the seed. */
function draw(limit) {
  draws += 1;
  return createHash("sha256").update(`${seed} ${name} ${draws}`).digest().readUInt32BE(0) % limit;
}

/** FNV-1a, as the parent has it. */
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

const ways = [["websocket"], ["polling"], ["polling", "websocket"]];
const socket = io(url, {
  transports: ways[draw(3)],
  reconnectionDelay: 20,
  reconnectionDelayMax: 80,
  timeout: 2000,
  auth: (use) => use({ clientId, serverOffset: cursor, epoch }),
});
// Another way each time.
socket.io.on("reconnect_attempt", () => (socket.io.opts.transports = ways[draw(3)]));
socket.on("connect", () => note("subscribe", "ok", undefined, { offset: cursor, epoch }));
socket.on("epoch", (told) => {
  if (told === epoch) return;
  note("epoch", "info", undefined, { epoch: told });
  // A cursor of another epoch means nothing; who is cut off before `resync` comes again with none.
  if (epoch !== undefined) cursor = undefined;
  epoch = told;
});
socket.on("resync", ({ epoch, first, last }) => {
  note("resync", "info", undefined, { epoch, first, offset: last });
  cursor = undefined;
});
socket.on("chat message", (content, offset) => {
  note("receive", "ok", content.split(" ")[0], { offset, hash: hash(content) });
  if (cursor === undefined || offset === cursor + 1) cursor = offset;
});

/** What the server says to one attempt, or nothing. */
function attempt(content, key) {
  return new Promise((resolve) => {
    const answer = (value) => {
      clearTimeout(timer);
      socket.off("disconnect", lost);
      resolve(value);
    };
    const lost = () => answer(undefined);
    const timer = setTimeout(lost, answerWithin);
    socket.once("disconnect", lost);
    // Volatile: what is not sent now is sent by the outbox, and not by the client's own buffer.
    socket.volatile.emit("chat message", content, key, answer);
  });
}

/** Gives the connection up. One that is cut in the last step of an upgrade looks open to the client for 45 seconds. */
function comeAgain() {
  socket.disconnect().connect();
}

async function write() {
  let misses = 0;
  while (phase === "storm" || pending) {
    if (!socket.connected) {
      await pause(5);
      continue;
    }
    if (!pending) {
      await pause(draw(think));
      if (phase !== "storm") return;
      const key = `${name}-${seq}`;
      const content = `${key} ${"漢字 \"x\" \\ ".repeat(draw(20))}`;
      pending = { key, content };
      note("send", "invoke", key, { seq, hash: hash(content) });
      seq += 1;
    }
    const { key, content } = pending;
    note("try", "invoke", key);
    const answer = await attempt(content, `m-${key.split("-").pop()}`);
    if (Number.isSafeInteger(answer?.offset)) {
      const { offset, duplicate, epoch } = answer;
      note("send", "ok", key, { offset, duplicate, epoch });
      pending = undefined;
      misses = 0;
    } else if (answer?.error === "invalid" || answer?.error === "conflict") {
      note("send", "fail", key, { what: answer.error });
      pending = undefined;
      misses = 0;
    } else {
      note("try", answer ? "fail" : "info", key, { what: answer?.error ?? "no answer" });
      misses += 1;
      if (misses % 3 === 0) comeAgain();
      await pause(20 + draw(100));
    }
  }
}

createInterface({ input: process.stdin }).on("line", (word) => {
  phase = word;
  // As a browser does that is told that the network is back.
  if (word === "drain") comeAgain();
  if (word !== "done") return;
  const { engine, _readyState } = socket.io;
  const state = `manager ${_readyState}, engine ${engine?.readyState} by ${engine?.transport?.name}, socket ${socket.connected}`;
  if (pending) note("send", "info", pending.key, { what: `pending: ${state}` });
  socket.disconnect();
  process.exitCode = 0;
  process.stdout.write("", () => process.exit());
});

await write();
