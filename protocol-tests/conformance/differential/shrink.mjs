// Makes a failing case small: delta debugging over everything in it that is a list or a text.

/** Fields that say what a case is, and are not made smaller. */
const FIXED = new Set(["kind", "server", "carrier", "opened", "method", "opcode", "close", "rsv", "mutated"]);

/** The smallest case found that still fails, with at most so many tries of `fails` in at most so many milliseconds. */
export async function shrink(testCase, fails, { tries = 400, ms = 15_000 } = {}) {
  const deadline = performance.now() + ms;
  let best = testCase;
  let left = tries;
  for (let improved = true; improved; ) {
    improved = false;
    for (const smaller of candidates(best)) {
      if (left === 0 || performance.now() > deadline) return best;
      left -= 1;
      if (!(await fails(smaller))) continue;
      best = smaller;
      improved = true;
      break;
    }
  }
  return best;
}

/** Copies of a value with something left out: large pieces first. */
function* candidates(value) {
  if (typeof value === "string") yield* without(value, (start, end) => cut(value, start, end));
  else if (Array.isArray(value)) {
    yield* without(value, (start, end) => value.toSpliced(start, end - start));
    for (const [at, item] of value.entries()) for (const smaller of candidates(item)) yield value.with(at, smaller);
  } else if (value !== null && typeof value === "object") {
    for (const [name, member] of Object.entries(value)) {
      if (FIXED.has(name)) continue;
      if (typeof member === "boolean") {
        if (member) yield { ...value, [name]: false };
        continue;
      }
      for (const smaller of candidates(member)) if (name !== "hex" || smaller.length % 2 === 0) yield { ...value, [name]: smaller };
    }
  }
}

function* without(sequence, removed) {
  for (let size = sequence.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < sequence.length; start += size) yield removed(start, Math.min(start + size, sequence.length));
  }
}

function cut(text, start, end) {
  return text.slice(0, start) + text.slice(end);
}
