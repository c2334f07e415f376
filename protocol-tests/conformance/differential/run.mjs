// Sends the same generated cases to the reference and to ours, and compares what comes back.
//
// node differential/run.mjs [--cases 100000] [--seed 1] [--kind socket] [--case 1234] [--at-once 24]
//
// `--case` prints one case of a seed and runs it again. A long run also names the rules that explained nothing.
// The build to test is that of target/debug, or CARGO_TARGET_DIR.

import { parseArgs } from "node:util";
import { differ, isRed } from "./differ.mjs";
import { generate } from "./generate/index.mjs";
import { freshSeed } from "./random.mjs";
import { tell } from "./tell.mjs";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "2000" },
    seed: { type: "string" },
    kind: { type: "string" },
    case: { type: "string" },
    "at-once": { type: "string", default: "24" },
  },
});

const seed = values.seed === undefined ? freshSeed() : Number(values.seed);
const first = values.case === undefined ? 0 : Number(values.case);
const count = values.case === undefined ? Number(values.cases) : 1;
if (values.case !== undefined) console.log(JSON.stringify(generate(seed, first, values.kind)));
const result = await differ({ seed, first, count, kind: values.kind, atOnce: Number(values["at-once"]) });
console.log(tell(result));
process.exit(isRed(result) ? 1 : 0);
