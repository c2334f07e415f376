// The chat as a process: started on a free port and a database in a folder of its own, watched, stopped, killed.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { io } from "socket.io-client";
import { debugFolder } from "./target.mjs";
import { event, Inbox, pause, within } from "./wait.mjs";
import { ways } from "./client.mjs";

export const program = process.env.CHAT_APP ?? `${debugFolder}/chat-app`;

/** A folder that is removed when the test is over. */
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "chat-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A port that nobody listened on a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs the program and says how it ended: for what must fail, or ends by itself. */
export async function runToEnd(args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].setEncoding("utf8").on("data", (text) => (said[stream] += text));
  try {
    const [code, signal] = await within(new Promise((resolve, reject) => child.once("close", (...how) => resolve(how)).once("error", reject)), `${program} ${args.join(" ")} to end`);
    return { code, signal, ...said };
  } finally {
    child.kill("SIGKILL");
  }
}

const running = new Set();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Chat {
  /** A chat that answers. `launcher` is put in front of the program, as in `["bash", "-c", "…", "bash"]`. */
  static async start(t, { database, port, args = [], launcher = [] } = {}) {
    const chat = new Chat();
    chat.database = database ?? join(await folder(t), "chat.db");
    chat.port = port ?? (await freePort());
    chat.url = `http://127.0.0.1:${chat.port}`;
    chat.args = args;
    chat.launcher = launcher;
    t.after(() => chat.kill());
    await chat.run();
    return chat;
  }

  /** Starts the process, again if need be, on the same port and database. */
  async run() {
    const command = [...this.launcher, program, "--listen", `127.0.0.1:${this.port}`, "--database", this.database, ...this.args];
    this.log = "";
    this.child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding("utf8").on("data", (text) => (this.log += text));
    const { child } = this;
    running.add(child);
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
    this.child.once("error", (error) => (this.log += error.message));
    await this.healthy();
  }

  async healthy() {
    const start = performance.now();
    for (;;) {
      const status = await fetch(`${this.url}/healthz`).then((response) => response.status, () => null);
      if (status === 200) return;
      const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
      if (isOver || performance.now() - start > 10_000) throw new Error(`the chat does not come up:\n${this.log}`);
      await pause(10);
    }
  }

  /** Resolves when the log says so. */
  async says(text) {
    while (!this.log.includes(text)) {
      await within(new Promise((resolve) => this.child.stderr.once("data", resolve)), `the log to say "${text}"`);
    }
  }

  signal(name) {
    this.child.kill(name);
  }

  /** Ends it as a crash does. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async stop(name = "SIGTERM", ms = 5000) {
    this.signal(name);
    return within(this.ended, `the chat to end after ${name}`, ms);
  }
}

let people = 0;
/** A `clientId` that nobody else has. */
export function newClientId() {
  people += 1;
  return `client-${process.pid}-${people}`.padEnd(20, "x");
}

/** A connection to the chat that collects what it is told. */
export function visitor(t, chat, { auth = {}, way = "websocket", ...options } = {}) {
  const socket = io(chat.url, { auth, transports: ways[way], forceNew: true, reconnection: false, ...options });
  t.after(() => socket.disconnect());
  socket.messages = new Inbox();
  socket.epochs = new Inbox();
  socket.resyncs = new Inbox();
  socket.order = [];
  socket.on("chat message", (...message) => {
    socket.order.push("chat message");
    socket.messages.put(message);
  });
  socket.on("epoch", (...args) => {
    socket.order.push("epoch");
    socket.epochs.put(args);
  });
  socket.on("resync", (...args) => {
    socket.order.push("resync");
    socket.resyncs.put(args);
  });
  return socket;
}

/** A connection that stands. */
export async function visit(t, chat, options) {
  const socket = visitor(t, chat, options);
  await event(socket, "connect");
  return socket;
}

/** Sends a message and returns the acknowledgement's arguments; null when none comes in time. */
export function say(socket, ...args) {
  const ms = 5000;
  return new Promise((resolve) => socket.timeout(ms).emit("chat message", ...args, (error, ...answer) => resolve(error ? null : answer)));
}

/** The messages with these offsets, in this order, or a failure. */
export async function offsets(socket, from, to) {
  const got = [];
  while (got.length <= to - from) got.push(await socket.messages.take(`message ${from + got.length}`));
  return got;
}

/** Stores messages `text 1` … `text n` as one person and returns the answers. */
export async function fill(t, chat, count, text = "message") {
  const socket = await visit(t, chat, { auth: { clientId: newClientId(), history: 0 } });
  const answers = [];
  for (let from = 1; from <= count; from += 100) {
    const some = Array.from({ length: Math.min(100, count - from + 1) }, (_, i) => say(socket, `${text} ${from + i}`, `fill-${from + i}`));
    for (const [answer] of await Promise.all(some)) answers.push(answer);
  }
  socket.disconnect();
  return answers;
}
