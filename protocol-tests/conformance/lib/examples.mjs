// The example programs of the crates: each is started on a free port, and ended with the test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { freePort } from "./chat.mjs";
import { debugFolder } from "./target.mjs";
import { pause, within } from "./wait.mjs";

const running = new Set();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts an example: `{ url, port, said }`, of which `said()` is what it has printed so far. */
export async function example(t, name, { args = [], env = {}, scheme = "http" } = {}) {
  const port = await freePort();
  const program = `${debugFolder}/examples/${name}`;
  const child = spawn(program, args, { env: { ...process.env, LISTEN: `127.0.0.1:${port}`, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (more) => (text += more));
  const ended = once(child, "close").then(() => running.delete(child));
  child.once("error", (error) => (text += error.message));
  t.after(() => {
    child.kill("SIGKILL");
    return ended;
  });
  const announced = async () => {
    while (!/listening on .*\n/.test(text)) await pause(20);
  };
  await within(Promise.all([listens(port, child), announced()]), `the example ${name} to listen`, 10_000).catch((error) => {
    throw new Error(`${error.message}\n${text}`);
  });
  return { url: `${scheme}://127.0.0.1:${port}`, port, said: () => text };
}

/** Resolves when somebody takes connections on the port. */
async function listens(port, child) {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("it has ended");
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (isOpen) return;
    await pause(20);
  }
}
