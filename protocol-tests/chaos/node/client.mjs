// The official client as one who takes part: with the page's own outbox on a file, and a cursor in the same file, so that
// it can be killed at any moment and come again. Its history goes to the standard output; `drain` and `done` come from
// the standard input.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { FileStore } from "./file-store.mjs";

const require = createRequire(new URL("../../conformance/package.json", import.meta.url));
const { io } = require("socket.io-client");

const options = JSON.parse(process.argv[2]);
const { url, name, life, seed, clientId, think, ways } = options;
const { Outbox, socketLink } = await import(options.outbox);
const answerWithin = 1000;
/** How much waits at most, of which one is in flight. */
const waiting = 4;
// As a reader it is somebody new each time, since what it was given last may not be in its file.
const reader = `${name}.${life}`;

let phase = "storm";
let seq = options.next;
let draws = 0;
let misses = 0;

const now = () => Number(process.hrtime.bigint() / 1000n);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function note(op, type, key, value, proc = name) {
  console.log(JSON.stringify({ t: now(), proc, op, type, ...(key && { key }), ...(value && { value }) }));
}

/** A number from 0 up to the limit, which follows from the seed. */
function draw(limit) {
  draws += 1;
  return createHash("sha256").update(`${seed} ${reader} ${draws}`).digest().readUInt32BE(0) % limit;
}

/** FNV-1a, as the parent has it. */
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** What the history calls a message. */
const keyOf = (content) => content.split(" ")[0];

const store = new FileStore(options.file, ({ content }) => {
  const key = keyOf(content);
  const own = Number(key.split("-").pop());
  note("send", "invoke", key, { seq: own, hash: hash(content) });
  seq = Math.max(seq, own + 1);
});
// Everything up to this has come, of this epoch.
let { cursor = 0, epoch } = store.place;
if (cursor === null) cursor = undefined;

function moveTo(offset) {
  cursor = offset;
  store.keep({ cursor: offset ?? null, epoch });
}

const way = () => ways[draw(ways.length)];
const socket = io(url, {
  transports: way(),
  reconnectionDelay: 20,
  reconnectionDelayMax: 80,
  timeout: 2000,
  ...(options.retries && { retries: 3, ackTimeout: answerWithin }),
  auth: (use) => use({ clientId, serverOffset: cursor, epoch }),
});
// Another way each time.
socket.io.on("reconnect_attempt", () => (socket.io.opts.transports = way()));
socket.on("connect", () => note("subscribe", "ok", undefined, { offset: cursor, epoch }, reader));
// What this reader was told; its file may know the name from another life.
let named;
socket.on("epoch", (told) => {
  if (told !== named) note("epoch", "info", undefined, { epoch: told }, reader);
  named = told;
  if (told === epoch) return;
  // A cursor of another epoch means nothing; who is cut off before `resync` comes again with none.
  const place = epoch === undefined ? cursor : undefined;
  epoch = told;
  moveTo(place);
});
socket.on("resync", ({ epoch, first, last }) => {
  note("resync", "info", undefined, { epoch, first, offset: last }, reader);
  moveTo(undefined);
});
socket.on("chat message", (content, offset) => {
  note("receive", "ok", keyOf(content), { offset, hash: hash(content) }, reader);
  if (cursor === undefined || offset === cursor + 1) moveTo(offset);
});
// Also those that the client's own queue makes.
socket.onAnyOutgoing((event, content) => note("try", "invoke", keyOf(content)));

/** Gives the connection up. One that is cut in the last step of an upgrade looks open to the client for 45 seconds. */
function comeAgain() {
  misses = 0;
  socket.disconnect().connect();
}

/** By the client's own queue, which tries again by itself. */
const retrying = {
  send: ({ content, key }) =>
    new Promise((resolve, reject) => {
      socket.emit("chat message", content, key, (error, answer) => (error ? reject(error) : resolve(answer)));
    }),
};

const link = socketLink(socket, "chat message", answerWithin);
const { send } = options.retries ? retrying : link;
const outbox = new Outbox({
  store,
  link: {
    get connected() {
      return socket.connected;
    },
    send,
    onChange: (listener) => link.onChange(listener),
  },
  pauseMin: 20,
  pauseMax: 100,
  onTrouble: (error) => {
    throw error;
  },
  onReport: ({ key: wireKey, verdict }) => {
    const key = keyOf(store.of(wireKey).content);
    if (verdict.kind === "stored") {
      const { offset, duplicate, epoch } = verdict;
      note("send", "ok", key, offset === undefined ? {} : { offset, duplicate, epoch });
      misses = 0;
    } else if (verdict.kind === "refused") {
      note("send", "fail", key, { what: verdict.error });
      misses = 0;
    } else if (verdict.error === "timeout") {
      note("try", "info", key, { what: "no answer" });
      misses += 1;
      if (misses >= (options.retries ? 1 : 3)) comeAgain();
    } else {
      note("try", "fail", key, { what: verdict.error });
    }
  },
});

createInterface({ input: process.stdin }).on("line", async (word) => {
  phase = word;
  // As a browser does that is told that the network is back.
  if (word === "drain") comeAgain();
  if (word !== "done") return;
  const { engine, _readyState } = socket.io;
  const state = `manager ${_readyState}, engine ${engine?.readyState} by ${engine?.transport?.name}, socket ${socket.connected}`;
  for (const { content } of await store.all()) note("send", "info", keyOf(content), { what: `pending: ${state}` });
  socket.disconnect();
  process.exitCode = 0;
  process.stdout.write("", () => process.exit());
});

while (phase === "storm") {
  await pause(draw(think));
  if (phase !== "storm" || (await store.all()).length >= waiting) continue;
  await outbox.add(`${name}-${seq} ${"漢字 \"x\" \\ ".repeat(draw(20))}`);
}
