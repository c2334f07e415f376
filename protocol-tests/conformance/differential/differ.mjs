// A run of many cases: several at once, each against both servers; what differs is tried again, and made small.

import { readFile } from "node:fs/promises";
import { compare, FAILED, signature } from "./compare.mjs";
import { generate } from "./generate/index.mjs";
import { observe } from "./observe.mjs";
import { rulesWithoutRow } from "./rules.mjs";
import { Servers } from "./servers.mjs";
import { shrink } from "./shrink.mjs";

// A difference counts when it shows as often in a row: a busy machine may make a server late, but not always.
const TRIES = 3;
// After so many kinds of failures there is enough to do.
const ENOUGH = 30;

/**
 * Runs `count` cases from number `first` on. Returns what was counted: `{ seed, cases, kinds, rules, failures,
 * unsteady, deaths, lastWords, panic, withoutRow, seconds }`.
 */
export async function differ({ seed, first = 0, count, kind, atOnce = 24 }) {
  const run = new Run(seed, kind);
  const started = performance.now();
  let next = first;
  const work = async () => {
    while (next < first + count && run.result.failures.length < ENOUGH) {
      const number = next;
      next += 1;
      await run.one(number);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
    run.result.panic = await run.servers.panic();
  } finally {
    await run.servers.stop();
  }
  const withoutRow = rulesWithoutRow(await readFile(new URL("../DIFFERENCES.md", import.meta.url), "utf8"));
  const { deaths, lastWords } = run.servers;
  return { ...run.result, deaths, lastWords, withoutRow, seconds: (performance.now() - started) / 1000 };
}

/** Whether a run has found what must not be: the reference may die, and ours may not. */
export function isRed({ failures, panic, deaths, withoutRow }) {
  return failures.length > 0 || panic !== null || deaths.ours > 0 || withoutRow.length > 0;
}

class Run {
  servers = new Servers();
  #kind;

  constructor(seed, kind) {
    this.#kind = kind;
    this.result = { seed, cases: 0, kinds: {}, rules: {}, failures: [], unsteady: [], panic: null };
  }

  async one(number) {
    const testCase = generate(this.result.seed, number, this.#kind);
    const { result } = this;
    result.cases += 1;
    result.kinds[testCase.kind] = (result.kinds[testCase.kind] ?? 0) + 1;
    const verdict = await this.#judge(testCase);
    for (const name of new Set(verdict.rules)) result.rules[name] = (result.rules[name] ?? 0) + 1;
    if (verdict.equal) return;
    const kind = `${testCase.kind}: ${signature(verdict)}`;
    if (!(await this.#isSteady(testCase))) {
      result.unsteady.push({ number, kind });
      return;
    }
    const same = result.failures.find((failure) => failure.kind === kind);
    if (same !== undefined) {
      same.numbers.push(number);
      return;
    }
    const failure = { kind, numbers: [number], testCase, ...verdict };
    result.failures.push(failure);
    Object.assign(failure, await this.#shrink(failure));
  }

  /** The failure with the smallest case that shows the same difference. */
  async #shrink({ testCase, ...verdict }) {
    let last = { testCase, ...verdict };
    await shrink(testCase, async (smaller) => {
      const again = await this.#judge(smaller);
      const fails = !again.equal && signature(again) === signature(verdict);
      if (fails) last = { testCase: smaller, ...again };
      return fails;
    });
    return last;
  }

  async #isSteady(testCase) {
    for (let tries = 1; tries < TRIES; tries += 1) if ((await this.#judge(testCase)).equal) return false;
    return true;
  }

  async #judge(testCase) {
    const [reference, ours] = await Promise.all(["reference", "ours"].map((target) => this.#watch(target, testCase)));
    return { ...compare(testCase, reference, ours), reference, ours };
  }

  /** What comes back; also from a server that does not survive it, or does not answer. */
  async #watch(target, testCase) {
    const server = await this.servers.get(target, testCase.server);
    try {
      return await observe(server, testCase);
    } catch (error) {
      const died = Servers.died(server) ? "the server has died" : error.message;
      return [{ step: 0, line: `${FAILED} ${died}` }];
    }
  }
}
