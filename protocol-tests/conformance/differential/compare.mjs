// What two observations have in common: they are equal, or a reviewed rule explains how they differ, or they are not.

import { rules } from "./rules.mjs";

/** How a line begins that says that there was nothing to compare: two of them are not equal. */
export const FAILED = "FAILED:";

/**
 * The verdict on a case: `{ equal, rules, at }`. `rules` are the names of those that were needed, and `at` says where
 * an unexplained difference begins, as indices into the two lists of lines.
 */
export function compare(testCase, reference, ours) {
  const used = [];
  let [r, o] = [0, 0];
  while (r < reference.length || o < ours.length) {
    if (isSame(reference[r], ours[o])) {
      r += 1;
      o += 1;
      continue;
    }
    const difference = describe(testCase, reference, r, ours, o);
    const failed = [difference.reference, difference.ours].some((line) => line.startsWith(FAILED));
    const rule = failed ? undefined : rules.find((one) => one.explains(difference));
    if (rule === undefined) return { equal: false, rules: used, at: [r, o] };
    used.push(rule.name);
    const then = typeof rule.then === "function" ? rule.then(difference) : rule.then;
    if (then === "end") break;
    if (then === "next step") {
      r = afterStep(reference, difference.step);
      o = afterStep(ours, difference.step);
    } else {
      r += then.reference;
      o += then.ours;
    }
  }
  return { equal: true, rules: used };
}

function isSame(one, other) {
  return one?.line === other?.line && one?.step === other?.step && !one.line.startsWith(FAILED);
}

/** Where the lines of later steps begin. */
function afterStep(lines, step) {
  const at = lines.findIndex((one) => one.step > step);
  return at < 0 ? lines.length : at;
}

/** What a rule is asked about: the two lines, those before and after, and what was sent to get them. */
function describe(testCase, reference, r, ours, o) {
  const step = Math.min(reference[r]?.step ?? Infinity, ours[o]?.step ?? Infinity);
  return {
    testCase,
    step,
    sent: sentIn(testCase, step),
    reference: reference[r]?.line ?? "",
    ours: ours[o]?.line ?? "",
    referenceRest: reference.slice(r).map(({ line }) => line),
    oursRest: ours.slice(o).map(({ line }) => line),
  };
}

/** What kind of difference a verdict is about: the two lines without what a client has chosen. */
export function signature({ reference, ours, at: [r, o] }) {
  const shape = (one) => (one === undefined ? "nothing" : one.line.replace(/"(\\.|[^"\\])*"/g, '""').replace(/<[0-9a-f]*>/g, "<>").replace(/: \d+$/, ": N"));
  return `${shape(reference[r])} / ${shape(ours[o])}`;
}

/** What a case sends in its nth step, beginning with 1. */
function sentIn(testCase, step) {
  const all = testCase.requests ?? testCase.posts ?? testCase.frames ?? testCase.steps;
  return all[step - 1] ?? {};
}

/** The two observations side by side, the first difference marked. */
export function sideBySide(reference, ours, [r, o]) {
  const rows = [["  step", "reference", "ours"]];
  // Of long lines that differ late, the place where they do.
  const late = Math.max(0, commonLength(reference[r]?.line ?? "", ours[o]?.line ?? "") - WIDTH / 2);
  for (let i = -BEFORE; i < AFTER && (r + i < reference.length || o + i < ours.length); i += 1) {
    const [left, right] = [reference[r + i], ours[o + i]];
    if (left === undefined && right === undefined) continue;
    const start = i === 0 ? late : 0;
    const cell = (one) => (start > 0 ? "…" : "") + (one?.line ?? "").slice(start, start + WIDTH);
    rows.push([`${i === 0 ? ">" : " "} ${left?.step ?? right?.step}`, cell(left), cell(right)]);
  }
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map(([step, left, right]) => `${step.padEnd(widths[0])} | ${left.padEnd(widths[1])} | ${right}`).join("\n");
}

function commonLength(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

const WIDTH = 80;
const BEFORE = 5;
const AFTER = 6;
