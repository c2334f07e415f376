// Runs the conformance tests against the reference and against ours, and prints a table: behaviour, reference, ours.
// `node report.mjs reference` or `node report.mjs ours` runs one of them alone.

import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { groups } from "./lib/groups.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const artefacts = fileURLToPath(new URL("../artefacts/", import.meta.url));

// What is run: the columns of the table. The chat is ours alone.
const columns = ["reference", "ours"];
const folders = { reference: ["tests"], ours: ["tests", "chat"] };
const chosen = process.argv.slice(2);
for (const name of chosen) {
  if (!columns.includes(name)) throw new Error(`"${name}" is neither of ${columns.join(", ")}`);
}

const results = new Map(); // column -> results of its tests
for (const target of chosen.length > 0 ? chosen : columns) {
  console.log(`running the tests against ${target} …`);
  results.set(target, await run(target));
}

printFailures();
printTable();
await writeFullTable();
printCounts();

/** One JSON line per test, from a run in a process of its own. */
async function run(target) {
  const files = [];
  for (const folder of folders[target]) {
    const names = (await readdir(here + folder)).filter((name) => name.endsWith(".test.mjs"));
    files.push(...names.map((name) => `${folder}/${name}`));
  }
  // One file at a time: many tests measure how long something takes. No file may hang for ever.
  const args = ["--test", "--test-concurrency=1", "--test-timeout=300000", "--test-reporter=./lib/reporter.mjs", ...files];
  const child = spawn(process.execPath, args, { cwd: here, env: { ...process.env, TARGET: target }, stdio: ["ignore", "pipe", "inherit"] });
  const tests = [];
  for await (const line of createInterface({ input: child.stdout })) tests.push(JSON.parse(line));
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
  const rows = [["behaviour", ...results.keys()]];
  for (const group of groups) {
    rows.push([group, ...[...results.values()].map((tests) => score(tests.filter((test) => test.group === group)))]);
  }
  const stray = (tests) => tests.filter((test) => !groups.includes(test.group));
  if ([...results.values()].some((tests) => stray(tests).length > 0)) {
    rows.push(["(a file that failed as a whole)", ...[...results.values()].map((tests) => score(stray(tests)))]);
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

/** Every test by name, for whoever wants to read it all. */
async function writeFullTable() {
  const names = new Map(); // "group | name" -> column -> verdict
  for (const [target, tests] of results) {
    for (const { group, name, ok, skipped } of tests) {
      const key = `${group} | ${name.replaceAll("|", "\\|")}`;
      if (!names.has(key)) names.set(key, new Map());
      names.get(key).set(target, skipped ? "skipped" : ok ? "pass" : "FAIL");
    }
  }
  const lines = [`| behaviour | promise | ${[...results.keys()].join(" | ")} |`, `| --- | --- | ${[...results.keys()].map(() => "---").join(" | ")} |`];
  for (const [key, verdicts] of names) {
    lines.push(`| ${key} | ${[...results.keys()].map((target) => verdicts.get(target) ?? "-").join(" | ")} |`);
  }
  await mkdir(artefacts, { recursive: true });
  await writeFile(`${artefacts}conformance.md`, `${lines.join("\n")}\n`);
  console.log("\nevery test by name: protocol-tests/artefacts/conformance.md");
}

function printCounts() {
  const all = [...results.values()].flat();
  const failed = all.filter((test) => !test.ok).length;
  console.log(`\n# pass ${all.filter((test) => test.ok && !test.skipped).length}\n# fail ${failed}`);
  process.exitCode = failed > 0 || all.length === 0 ? 1 : 0;
}
