// The client for Python, in a process of its own that plays the scenarios one after the other.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Inbox } from "./wait.mjs";

const folder = fileURLToPath(new URL("../clients/", import.meta.url));
const python = `${folder}.venv/bin/python`;

/** Plays all scenarios. Each gives a promise of nothing, or of what went wrong. `restart` starts the server again. */
export function playAll(t, { url, way, scenarios, restart }) {
  if (!existsSync(python)) throw new Error("the client for Python is not installed: run protocol-tests/conformance/clients/install");
  const child = spawn(python, [`${folder}player.py`, url, way], { stdio: ["pipe", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log = (log + text).slice(-8192)));
  const outcomes = new Map(scenarios.map(({ scenario }) => [scenario, new Inbox()]));
  child.once("exit", () => {
    for (const inbox of outcomes.values()) inbox.end(`the client for Python has ended: ${log}`);
  });
  createInterface({ input: child.stdout }).on("line", async (line) => {
    const said = JSON.parse(line);
    if (said.restart) {
      await restart();
      child.stdin.write("\n");
    } else outcomes.get(said.scenario).put(said.error);
  });
  return outcomes;
}
