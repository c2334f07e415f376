// The scenarios of clients/scenarios.json, played by a client from elsewhere on every transport.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../lib/groups.mjs";
import { playAll } from "../lib/python.mjs";
import { scenarios, serverFor, ways } from "../lib/scenarios.mjs";

group("Clients", () => {
  for (const way of ways) {
    test(`the client for Python over ${way} plays all scenarios [clients.python]`, async (t) => {
      const outcomes = playAll(t, { way, scenarios, ...(await serverFor(t, scenarios)) });
      for (const [scenario, outcome] of outcomes) {
        await t.test(`the client for Python over ${way}: ${scenario} [clients.python]`, async () => assert.equal(await outcome.take("the end of the scenario", 60_000), null));
      }
    });
  }
});
