// Runs the conformance tests against the reference and against ours, and prints a table: behaviour, reference, ours.
// `node report.mjs reference` or `node report.mjs ours` runs one of them alone.

import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { differ, isRed } from "./differential/differ.mjs";
import { tell } from "./differential/tell.mjs";
import { catalogue, judge, mistakes, splitName } from "./lib/catalogue.mjs";
import { groups } from "./lib/groups.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const artefacts = fileURLToPath(new URL("../artefacts/", import.meta.url));

// What is run: the columns of the table. The chat and the examples are ours alone.
const columns = ["reference", "ours"];
const folders = { reference: ["tests"], ours: ["tests", "chat", "examples"] };
// The differential run here is the same each time, so that a red one is due to a change; `differential/run.mjs` has fresh seeds.
const CASES = 2400;
const SEED = 1;
const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (!columns.includes(name)) throw new Error(`"${name}" is neither of ${columns.join(", ")}`);
}

const results = new Map(); // column -> results of its tests
for (const target of chosen.length > 0 ? chosen : columns) {
  console.log(`running the tests against ${target} …`);
  results.set(target, await run(target));
}
const verdicts = judge(results);
const difference = chosen.length > 0 ? undefined : await compareAll();

printFailures();
printTable();
await writeFullTable();
printCounts(printCoverage());

/** Sends generated packets to both; see `differential/run.mjs` for many more of them. */
async function compareAll() {
  console.log(`comparing both on generated packets, seed ${SEED} …`);
  const result = await differ({ seed: SEED, count: CASES });
  console.log(tell(result));
  return result;
}

/** The results of all files: those that measure time one after the other, then the rest side by side. */
async function run(target) {
  const alone = [];
  const together = [];
  for (const folder of folders[target]) {
    for (const name of (await readdir(here + folder)).filter((name) => name.endsWith(".test.mjs"))) {
      const file = `${folder}/${name}`;
      (measuresTime(await readFile(here + file, "utf8")) ? alone : together).push(file);
    }
  }
  return [...(await runFiles(target, alone, 1)), ...(await runFiles(target, together, 2))];
}

/** Whether a busy neighbour could spoil what a file of tests measures. */
function measuresTime(source) {
  return /\btimed\(|\bresidentBytes\(/.test(source);
}

/** One JSON line per test, from a run in a process of its own. No file may hang for ever. */
async function runFiles(target, files, concurrency) {
  if (files.length === 0) return [];
  const options = [`--test-concurrency=${concurrency}`, "--test-timeout=300000", "--test-reporter=./lib/reporter.mjs"];
  const child = spawn(process.execPath, ["--test", ...options, ...files], {
    cwd: here,
    env: { ...process.env, TARGET: target },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const tests = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const test = JSON.parse(line);
    tests.push({ ...test, ...splitName(test.name) });
  }
  return tests;
}

function printFailures() {
  for (const [target, tests] of results) {
    for (const { ok, group, name, error } of tests) {
      if (!ok) console.log(`\nFAILED against ${target}: ${group}: ${name}\n${error}`);
    }
  }
}

function printTable() {
  const rows = [["behaviour", "lines", ...results.keys()]];
  for (const group of groups) {
    rows.push([group, linesOf(group), ...[...results.values()].map((tests) => score(tests.filter((test) => test.group === group)))]);
  }
  const stray = (tests) => tests.filter((test) => !groups.includes(test.group));
  if ([...results.values()].some((tests) => stray(tests).length > 0)) {
    rows.push(["(a file that failed as a whole)", "", ...[...results.values()].map((tests) => score(stray(tests)))]);
  }
  const ids = catalogue.flatMap(({ lines }) => lines);
  rows.push(["all", covered(ids), ...[...results.values()].map(score)]);
  if (difference) {
    const left = difference.failures.reduce((sum, { numbers }) => sum + numbers.length, 0);
    rows.push(["generated packets", "", `${difference.cases} cases`, `${left} differ${isRed(difference) ? "  <--" : ""}`]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  console.log();
  for (const row of rows) console.log(row.map((cell, i) => cell.padEnd(widths[i])).join("   ").trimEnd());
}

function score(tests) {
  if (tests.length === 0) return "-";
  const passed = tests.filter((test) => test.ok && !test.skipped).length;
  return `${passed} of ${tests.length}${passed < tests.length ? "  <--" : ""}`;
}

function linesOf(group) {
  const entry = catalogue.find((one) => one.group === group);
  return entry ? covered(entry.lines) : "";
}

function covered(lines) {
  const count = lines.filter(isCovered).length;
  return `${count} of ${lines.length}${count < lines.length ? "  <--" : ""}`;
}

/** A line is covered if ours has shown it, by a test that the reference has passed as well, if it has it. */
function isCovered({ id, crates = [] }) {
  const verdict = verdicts.get(id);
  const shown = results.has("ours") ? verdict.ours !== "-" : verdict.reference !== "-" || crates.length > 0;
  return shown && Object.values(verdict).every((one) => one !== "FAIL");
}

/** Every line of the catalogue, then every test by name, for whoever wants to read it all. */
async function writeFullTable() {
  const targets = [...results.keys()];
  const bar = (cells) => `| ${cells.join(" | ")} |`;
  const head = (...names) => [bar([...names, ...targets]), bar([...names, ...targets].map(() => "---"))];
  const lines = ["# The catalogue", ""];
  for (const { group, lines: promises } of catalogue) {
    lines.push(`## ${group}: ${covered(promises)}`, "", ...head("line", "promise", "tests"));
    for (const line of promises) {
      lines.push(bar([line.id, line.promise, shownBy(line), ...targets.map((target) => verdicts.get(line.id)[target])]));
    }
    lines.push("");
  }

  const names = new Map(); // "group | name | shows" -> column -> verdict
  for (const [target, tests] of results) {
    for (const { group, name, shows, ok, skipped } of tests) {
      const key = `${group} | ${name.replaceAll("|", "\\|")} | ${shows.join(", ")}`;
      if (!names.has(key)) names.set(key, new Map());
      names.get(key).set(target, skipped ? "skipped" : ok ? "pass" : "FAIL");
    }
  }
  lines.push("# The tests", "", ...head("behaviour", "test", "shows"));
  for (const [key, verdicts] of names) lines.push(bar([key, ...targets.map((target) => verdicts.get(target) ?? "-")]));
  await mkdir(artefacts, { recursive: true });
  await writeFile(`${artefacts}conformance.md`, `${lines.join("\n")}\n`);
  console.log("\nevery line and every test by name: protocol-tests/artefacts/conformance.md");
}

/** How many tests show a line, and the crates' own tests that do. */
function shownBy({ id, crates = [] }) {
  const names = new Set([...results.values()].flat().filter((test) => test.shows.includes(id)).map((test) => test.name));
  return [...(names.size > 0 ? [names.size] : []), ...crates.map((path) => `\`${path}\``)].join(", ");
}

/** Returns how many lines no test shows, and how many mistakes there are in the catalogue: each makes the run red. */
function printCoverage() {
  const lines = catalogue.flatMap(({ lines }) => lines);
  const without = lines.filter((line) => !isCovered(line));
  for (const { id, promise } of without) console.log(`\nno test shows ${id}: ${promise}`);
  const wrong = mistakes(results);
  for (const mistake of wrong) console.log(`\n${mistake}`);
  console.log(`\n${lines.length - without.length} of ${lines.length} lines of the catalogue are covered`);
  return without.length + wrong.length;
}

function printCounts(uncovered) {
  const all = [...results.values()].flat();
  const compared = difference ? [!isRed(difference)] : [];
  const failed = all.filter((test) => !test.ok).length + compared.filter((equal) => !equal).length + uncovered;
  const passed = all.filter((test) => test.ok && !test.skipped).length + compared.filter((equal) => equal).length;
  console.log(`\n# pass ${passed}\n# fail ${failed}`);
  process.exitCode = failed > 0 || all.length === 0 ? 1 : 0;
}
