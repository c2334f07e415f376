// The differences that are on purpose: each names its row in DIFFERENCES.md, and says exactly what it looks like.
//
// A rule is asked about the first line in which two observations differ. It sees the case, what was sent in that step,
// the two lines, and all lines from there on. `then` says how the comparison goes on: with the next step, behind so many
// lines on each side, or not at all, where one session has ended and the other has not; it may be a function.

import { engineRules } from "./rules/engine.mjs";
import { engine3Rules } from "./rules/engine3.mjs";
import { handshakeRules } from "./rules/handshake.mjs";
import { msgpackRules } from "./rules/msgpack.mjs";
import { socketRules } from "./rules/socket.mjs";

export const rules = [...handshakeRules, ...engineRules, ...engine3Rules, ...socketRules, ...msgpackRules];

/** The rules that name no row of DIFFERENCES.md. */
export function rulesWithoutRow(differences) {
  return rules.filter(({ row }) => !differences.includes(`\n| ${row}`)).map(({ name }) => name);
}
