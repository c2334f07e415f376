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
  if (child.pid === undefined) {
    const [error] = await once(child, "error");
    throw new Error(`the example does not start: ${error.message}`);
  }
  running.add(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (more) => (text += more));
  const ended = once(child, "close").then(() => running.delete(child));
  t.after(() => {
    child.kill("SIGKILL");
    return ended;
  });
  const ready = listens(port, child, () => /listening on .*\n/.test(text));
  await within(ready, `${program} to listen`, 10_000).catch((error) => {
    throw new Error(`${error.message}\n${text}`);
  });
  return { url: `${scheme}://127.0.0.1:${port}`, port, said: () => text };
}

/** Resolves when the program has said so and takes connections. */
async function listens(port, child, hasSaidSo) {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnfile} has ended`);
    if (hasSaidSo() && (await takesConnections(port))) return;
    await pause(20);
  }
}

async function takesConnections(port) {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
  socket.destroy();
  return isOpen;
}
