// The scenarios that every client plays, and servers to play them on.

import { readFileSync } from "node:fs";
import { ownServer, server } from "./target.mjs";

export const scenarios = JSON.parse(readFileSync(new URL("../clients/scenarios.json", import.meta.url)));

/** The ways of connecting that each client has. */
export const ways = ["polling", "websocket", "upgrade"];

/** A server for these scenarios: one that can be started again on its port, if one of them wants that. */
export async function serverFor(t, scenarios, options = {}) {
  const restarts = scenarios.some(({ steps }) => steps.some((step) => step.do === "restart"));
  return restarts ? restartable(t, options) : server(options);
}

async function restartable(t, options) {
  let running = await ownServer(t, options);
  const { port, url } = running;
  const restart = async () => {
    await running.kill();
    running = await ownServer(t, { ...options, port });
  };
  return { url, restart };
}
