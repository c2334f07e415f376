// The scenarios of clients/scenarios.json, played by the official client in three versions on every transport.

import { test } from "node:test";
import * as client4 from "socket.io-client";
import client2 from "socket.io-client-2";
import client3 from "socket.io-client-3";
import { play } from "../clients/player.mjs";
import { group } from "../lib/groups.mjs";
import { scenarios, serverFor, ways } from "../lib/scenarios.mjs";

const official = [
  { version: 4, io: client4 },
  { version: 3, io: client3 },
  { version: 2, io: client2, options: { allowEIO3: true } },
];

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
});
