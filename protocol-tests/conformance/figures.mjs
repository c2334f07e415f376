// Measures the chat with official clients, and kills it under load: `node figures.mjs [throughput] [kills]`.
//
// The program is CHAT_APP; for figures worth quoting, set it to the release build. The clients share the machine with
// the server, so messages per second are a lower bound.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Chat, newClientId, visitor } from "./lib/chat.mjs";
import { event, pause } from "./lib/wait.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: "string", default: "50" },
    seconds: { type: "string", default: "10" },
    kills: { type: "string", default: "20" },
  },
});
/** How clients behave that come back at once. */
const restless = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };

const parts = { throughput, kills };
for (const part of positionals.length > 0 ? positionals : Object.keys(parts)) {
  if (!parts[part]) throw new Error(`no part is called '${part}'; there are ${Object.keys(parts).join(" and ")}`);
  const cleanUps = [];
  try {
    await parts[part]({ after: (cleanUp) => cleanUps.push(cleanUp) });
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }
}

/** So many clients with one message in flight each: messages stored and acknowledged per second, rows per commit. */
async function throughput(t) {
  const chat = await Chat.start(t);
  const clients = Array.from({ length: Number(values.clients) }, () =>
    visitor(t, chat, { auth: { clientId: newClientId(), history: 0 } }),
  );
  await Promise.all(clients.map((socket) => event(socket, "connect")));
  const start = performance.now();
  const end = start + Number(values.seconds) * 1000;
  let acknowledged = 0;
  await Promise.all(
    clients.map(async (socket, client) => {
      for (let n = 0; performance.now() < end; n += 1) {
        const answer = await socket.emitWithAck("chat message", `message ${n} of client ${client}`, `key-${n}`);
        if (answer.error) throw new Error(`${answer.error}: ${answer.message}`);
        acknowledged += 1;
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const cpu = await cpuSeconds(chat.child.pid);
  for (const socket of clients) socket.disconnect();
  await chat.stop();
  const [, stored, commits] = /stored=(\d+) commits=(\d+)/.exec(chat.log) ?? [];
  console.log(
    `throughput: ${clients.length} clients, 1 in flight each, ${seconds.toFixed(1)} s: ` +
      `${(acknowledged / seconds).toFixed(0)} messages per second stored and acknowledged, and each sent to all; ` +
      `${stored} rows in ${commits} commits, ${(stored / commits).toFixed(1)} rows per commit; ` +
      `server CPU ${((cpu / acknowledged) * 1e6).toFixed(0)} µs per message, ${((cpu / acknowledged / clients.length) * 1e6).toFixed(1)} µs per delivery`,
  );
}

/** User and system time of a process. */
async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Kills the server again and again while clients write and read, then compares what was acknowledged with what is stored. */
async function kills(t) {
  const chat = await Chat.start(t);
  const done = { value: false };
  const acknowledged = new Map();
  let sent = 0;
  const writers = Array.from({ length: 20 }, async (_, writer) => {
    const socket = visitor(t, chat, { auth: { clientId: newClientId(), history: 0 }, ...restless });
    for (let n = 0; !done.value; n += 1) {
      const [content, key] = [`message ${n} of writer ${writer}`, `writer-${writer}-${n}`];
      sent += 1;
      acknowledged.set(key, { content, offset: await sendUntilStored(socket, content, key) });
    }
    socket.disconnect();
  });
  const readers = Array.from({ length: 5 }, () => follow(t, chat));
  let worst = 0;
  for (let kill = 0; kill < Number(values.kills); kill += 1) {
    await pause(300 + Math.random() * 700);
    await chat.kill();
    const before = acknowledged.size;
    const start = performance.now();
    await chat.run();
    while (acknowledged.size === before) await pause(5);
    worst = Math.max(worst, performance.now() - start);
  }
  done.value = true;
  await Promise.all(writers);

  const all = follow(t, chat);
  const last = Math.max(...[...acknowledged.values()].map(({ offset }) => offset));
  for (const reader of [all, ...readers]) while (reader.cursor < last) await pause(5);
  const stored = new Map();
  let repeated = 0;
  for (const [content, offset, { clientOffset }] of all.messages) {
    if (stored.has(clientOffset)) repeated += 1;
    stored.set(clientOffset, { content, offset });
  }
  let lost = 0;
  for (const [key, { content, offset }] of acknowledged) {
    const row = stored.get(key);
    if (row?.content !== content || row.offset !== offset) lost += 1;
  }
  const disorders = [all, ...readers].reduce((sum, reader) => sum + reader.disorders, 0);
  console.log(
    `kills: ${values.kills} times kill -9: sent ${sent}, acknowledged ${acknowledged.size}, stored ${stored.size}, ` +
      `lost ${lost}, repeated ${repeated}, gaps or inversions at ${readers.length + 1} readers ${disorders}; ` +
      `worst time from a start to the next acknowledgement ${worst.toFixed(0)} ms`,
  );
  if (lost + repeated + disorders > 0) process.exitCode = 1;
}

async function sendUntilStored(socket, content, key) {
  for (;;) {
    const answer = await socket.timeout(2000).emitWithAck("chat message", content, key).catch(() => null);
    if (answer?.offset) return answer.offset;
    if (["invalid", "conflict"].includes(answer?.error)) throw new Error(`${answer.error}: ${answer.message}`);
    await pause(20);
  }
}

/** A reader with a cursor: each message must be the one after it. */
function follow(t, chat) {
  const reader = { cursor: 0, disorders: 0, messages: [] };
  const socket = visitor(t, chat, { auth: (use) => use({ clientId: newClientId(), serverOffset: reader.cursor }), ...restless });
  socket.on("chat message", (...message) => {
    if (message[1] !== reader.cursor + 1) reader.disorders += 1;
    reader.cursor = message[1];
    reader.messages.push(message);
  });
  socket.on("resync", () => (reader.disorders += 1));
  return reader;
}
