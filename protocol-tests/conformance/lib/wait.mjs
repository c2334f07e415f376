// Waiting for what a server must do: always for an event, always with a deadline that says what was awaited.

export const PATIENCE = 5000;

/** The promise's value, or a failure that names what did not happen in time. */
export async function within(promise, what, ms = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The arguments of the next event of that name. */
export function event(emitter, name, ms = PATIENCE) {
  return within(new Promise((resolve) => emitter.once(name, (...args) => resolve(args))), `the event "${name}"`, ms);
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Gives the server time to take in what was just written and has no answer yet, such as a poll that it parks.
 * Nothing tells from outside when that is done, so this is the one place that waits for time instead of an event.
 */
export function settle() {
  return pause(20);
}

/** A queue between something that receives and a test that awaits. After `end`, waiting for more fails. */
export class Inbox {
  #items = [];
  #takers = [];
  #end = null;

  put(item) {
    const taker = this.#takers.shift();
    if (taker) taker.resolve(item);
    else this.#items.push(item);
  }

  end(why) {
    if (this.#end) return;
    this.#end = new Error(why);
    for (const taker of this.#takers.splice(0)) taker.reject(this.#end);
  }

  get ended() {
    return this.#end !== null;
  }

  /** What has arrived and was not taken yet. */
  get waiting() {
    return this.#items.length;
  }

  take(what = "a message", ms = PATIENCE) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    if (this.#end) return Promise.reject(this.#end);
    let taker;
    const taken = new Promise((resolve, reject) => {
      taker = { resolve, reject };
      this.#takers.push(taker);
    });
    return within(taken, what, ms).catch((error) => {
      this.#takers = this.#takers.filter((other) => other !== taker);
      throw error;
    });
  }
}

// The promise of the catalogue is "to tens of milliseconds"; the rest is for a test machine with two cores.
const SLACK = 100;

/** Since `start`, so many milliseconds have passed, or a little more, never less. */
export function assertPassed(start, ms) {
  const passed = performance.now() - start;
  if (passed < ms - 2 || passed > ms + SLACK) throw new Error(`after ${passed.toFixed(1)} ms instead of ${ms}`);
}
