// The catalogue of what a server promises, and which of its lines the tests show.
//
// A test says what it shows by the ids of lines behind its name: `test("a poll is … [headers.no-store]", …)`.
// A line that only a crate's own test can show names that test in catalogue.json: `crate::test_name`.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** `[{ group, lines: [{ id, promise, crates }] }]`, in the order of the report. */
export const catalogue = JSON.parse(readFileSync(new URL("../catalogue.json", import.meta.url)));

const IDS = / \[([a-z0-9]+\.[a-z0-9-]+(?: [a-z0-9]+\.[a-z0-9-]+)*)\]$/;

/** A test's name without the lines it shows, and those. */
export function splitName(full) {
  const found = IDS.exec(full);
  return found ? { name: full.slice(0, found.index), shows: found[1].split(" ") } : { name: full, shows: [] };
}

/**
 * For each line by its id, what the tests of each target say of it: "pass", "FAIL", "crate" for a test of a crate alone,
 * or "-". `results` is a map of targets to `[{ shows, ok, skipped }]`.
 */
export function judge(results) {
  const verdicts = new Map();
  for (const { id, crates = [] } of catalogue.flatMap(({ lines }) => lines)) {
    const line = {};
    for (const [target, tests] of results) {
      const shown = tests.filter((test) => test.shows.includes(id) && !test.skipped);
      if (shown.length > 0) line[target] = shown.every((test) => test.ok) ? "pass" : "FAIL";
      else line[target] = target === "ours" && crates.length > 0 && crates.every(hasTest) ? "crate" : "-";
    }
    verdicts.set(id, line);
  }
  return verdicts;
}

/** What is wrong with the catalogue itself: ids twice, ids of tests that it does not have, tests of crates that are not there. */
export function mistakes(results) {
  const lines = catalogue.flatMap(({ lines }) => lines);
  const ids = new Set(lines.map(({ id }) => id));
  const found = new Set();
  if (ids.size < lines.length) found.add("two lines of the catalogue have the same id");
  for (const test of [...results.values()].flat()) {
    for (const id of test.shows) if (!ids.has(id)) found.add(`the catalogue has no line "${id}", which the test "${test.name}" shows`);
  }
  for (const { id, crates = [] } of lines) {
    for (const path of crates) if (!hasTest(path)) found.add(`there is no test ${path}, which is to show "${id}"`);
  }
  return [...found];
}

const testsOf = new Map(); // crate -> names of its tests

function hasTest(path) {
  const [crate, name] = path.split("::");
  if (!testsOf.has(crate)) testsOf.set(crate, readTests(`${root}crates/${crate}`));
  return testsOf.get(crate).has(name);
}

/** The names of the functions that are marked as tests, in all sources of a crate. */
function readTests(folder) {
  const names = new Set();
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!file.endsWith(".rs")) continue;
    const source = readFileSync(`${folder}/${file}`, "utf8");
    for (const [, name] of source.matchAll(/#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)/g)) names.add(name);
  }
  return names;
}
