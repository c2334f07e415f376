// The groups of the catalogue, and three more: every test belongs to one, and the report has a row for each.

import { after, describe, test } from "node:test";
import { catalogue } from "./catalogue.mjs";
import { hangUpWebSockets } from "./sessions.mjs";
import { serversAreWell } from "./target.mjs";
import { hangUp } from "./wire.mjs";

export const groups = [...catalogue.map(({ group }) => group), "Advisories", "Chat", "Examples"];

/** Tests of one group. When they are done, the servers they used must still be alive and must not have panicked. */
export function group(name, define, options = {}) {
  if (!groups.includes(name)) throw new Error(`the catalogue has no group "${name}"`);
  describe(name, options, () => {
    after(() => {
      hangUp();
      hangUpWebSockets();
      serversAreWell();
    });
    define();
  });
}

const TRIES = 3;

/**
 * A test that measures time. A machine that is busy with something else can make things late, on either side, but not
 * three times in a row; what is wrong is wrong each time.
 */
export function timed(name, body) {
  test(name, async (t) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await body(t);
      } catch (error) {
        if (tries === TRIES) throw error;
        t.diagnostic(`try ${tries}: ${error.message}`);
      }
    }
  });
}
