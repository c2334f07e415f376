// The server under test: one process per set of options, started at first use and shared by a file's tests.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Inbox, within } from "./wait.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** "reference" or "ours". */
export const target = process.env.TARGET ?? "ours";

/** Where cargo puts what it builds. */
export const debugFolder = `${process.env.CARGO_TARGET_DIR ?? `${root}target`}/debug`;

const programs = {
  reference: [process.execPath, fileURLToPath(new URL("../reference/server.mjs", import.meta.url))],
  ours: [`${debugFolder}/conformance-server`],
};
if (!(target in programs)) throw new Error(`TARGET is "reference" or "ours", not "${target}"`);

/** What a test expects where the two differ on purpose: DIFFERENCES.md says why. */
export function differs({ reference, ours }) {
  return target === "reference" ? reference : ours;
}

const servers = new Map();

/** The server with these options: `{ port, url, pid }`. */
export function server(options = {}) {
  const key = JSON.stringify(options);
  if (!servers.has(key)) servers.set(key, launch(target, key));
  return servers.get(key).ready;
}

/**
 * A server of one test's own, which may end or be ended: `kill` does, and `lines` is what it says on standard output
 * besides its port. `await kill()` returns when it is gone.
 */
export async function ownServer(t, options = {}) {
  const { child, ready, lines } = launch(target, JSON.stringify(options));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const kill = () => {
    child.kill("SIGKILL");
    return within(gone, "the server to end");
  };
  t.after(kill);
  return { ...(await ready), kill, gone, line: () => lines.take("a line of the server") };
}

/** Fails when a server has ended or said that it panicked. */
export function serversAreWell() {
  for (const { child, log } of servers.values()) {
    assert.equal(child.exitCode ?? child.signalCode, null, `the server has ended:\n${log.text}`);
    assert.doesNotMatch(log.text, /panicked at/, "the server has panicked");
  }
}

/** A process of that target, with its options as JSON: what it says, and `ready` as soon as it listens. */
export function launch(name, argument) {
  const [program, ...args] = programs[name];
  const child = spawn(program, [...args, argument], { stdio: ["pipe", "pipe", "pipe"] });
  const log = { text: "" };
  const lines = new Inbox();
  child.stderr.setEncoding("utf8").on("data", (text) => {
    log.text = (log.text + text).slice(-64 * 1024);
  });
  const listening = new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${program} does not start: ${error.message}`)));
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}:\n${log.text}`)));
    const said = createInterface({ input: child.stdout });
    said.once("line", (line) => {
      said.on("line", (line) => lines.put(JSON.parse(line)));
      resolve(JSON.parse(line).port);
    });
  });
  // A process that waits for its server to end would never end itself.
  for (const handle of [child, child.stdin, child.stdout, child.stderr]) handle.unref();
  const ready = within(listening, `${program} to listen`, 10_000).then((port) => ({
    port,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
  }));
  return { child, log, ready, lines };
}
