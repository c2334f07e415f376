// What a run has to say: the counts, and each difference that nothing explains, made small and side by side.

import { sideBySide } from "./compare.mjs";
import { rules } from "./rules.mjs";

/** The result of `differ` as text. */
export function tell(result) {
  const failures = result.failures.map((failure) => tellFailure(result.seed, failure));
  const lines = [...failures, `seed ${result.seed}: ${result.cases.toLocaleString("en")} cases in ${result.seconds.toFixed(1)} s (${tellCounts(result.kinds)})`];
  const left = result.failures.reduce((sum, { numbers }) => sum + numbers.length, 0);
  lines.push(`differences left: ${left}; differences explained: ${tellCounts(result.rules) || "none"}`);
  const idle = result.cases < MANY ? [] : rules.filter(({ name }) => result.rules[name] === undefined).map(({ name }) => name);
  if (idle.length > 0) lines.push(`rules that explained nothing: ${idle.join(", ")}`);
  for (const { number, kind } of result.unsteady) lines.push(`case ${number} differed once and not again: ${kind}`);
  for (const [target, times] of Object.entries(result.deaths)) if (times > 0) lines.push(`${target} died ${times} times and was started again; the last time it said:\n${result.lastWords[target].trim().slice(0, 800)}`);
  if (result.panic !== null) lines.push(`ours has panicked: ${result.panic}`);
  for (const name of result.withoutRow) lines.push(`the rule "${name}" names no row of DIFFERENCES.md`);
  return lines.join("\n");
}

// A rule that explains nothing in so many cases is not needed any more, or no case comes to it.
const MANY = 20_000;

function tellFailure(seed, { numbers, testCase, reference, ours, at }) {
  const others = numbers.length > 1 ? ` (and in ${numbers.slice(1, 6).join(", ")}${numbers.length > 6 ? ", …" : ""})` : "";
  return [`\nDIFFERENCE in case ${numbers[0]} of seed ${seed}${others}, made small:`, shortened(JSON.stringify(testCase)), sideBySide(reference, ours, at), ""].join("\n");
}

function tellCounts(counts) {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.map(([name, count]) => `${name} ${count}`).join(", ");
}

function shortened(text) {
  return text.length > 1000 ? `${text.slice(0, 1000)}… (${text.length} characters; --case prints it all)` : text;
}
