// The scenarios of clients/scenarios.json, played by clients of several versions and kinds on every transport.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as client4 from "socket.io-client";
import client2 from "socket.io-client-2";
import client3 from "socket.io-client-3";
import { play } from "../clients/player.mjs";
import { group } from "../lib/groups.mjs";
import { playAll } from "../lib/python.mjs";
import { ownServer, server } from "../lib/target.mjs";

const scenarios = JSON.parse(readFileSync(new URL("../clients/scenarios.json", import.meta.url)));
const ways = ["polling", "websocket", "upgrade"];
const official = [
  { version: 4, io: client4 },
  { version: 3, io: client3 },
  { version: 2, io: client2, options: { allowEIO3: true } },
];

/** A server for these scenarios: one that can be started again on its port, if one of them wants that. */
async function serverFor(t, scenarios, options = {}) {
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

group("Clients", () => {
  for (const { version, io, options } of official) {
    for (const way of ways) {
      for (const scenario of scenarios) {
        test(`the official client ${version} over ${way}: ${scenario.scenario} [clients.v${version}]`, async (t) => {
          await play(scenario, { io, version, way, ...(await serverFor(t, [scenario], options)) });
        });
      }
    }
  }

  for (const way of ways) {
    test(`the client for Python over ${way} plays all scenarios [clients.python]`, async (t) => {
      const outcomes = playAll(t, { way, scenarios, ...(await serverFor(t, scenarios)) });
      for (const [scenario, outcome] of outcomes) {
        await t.test(`the client for Python over ${way}: ${scenario} [clients.python]`, async () => assert.equal(await outcome.take("the end of the scenario", 60_000), null));
      }
    });
  }
});
