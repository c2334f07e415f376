// The world around an outbox, as tests drive it.
import { vi } from "vitest";
import type { Entry, Link, Locks, OutboxStore } from "../src/outbox";

/** Lets every promise that can go on do so. For fake timers. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

/** The link as a test drives it: every message waits for the answer the test gives. */
export class FakeServer implements Link {
  waiting: { entry: Entry; resolve(answer: unknown): void; reject(error: Error): void }[] = [];
  mostAtOnce = 0;
  #sent: Entry[] = [];
  #listeners = new Set<() => void>();

  constructor(public connected: boolean) {}

  send(entry: Entry): Promise<unknown> {
    this.#sent.push(entry);
    return new Promise((resolve, reject) => {
      this.waiting.push({ entry, resolve, reject });
      this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting.length);
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  connect(): void {
    this.connected = true;
    for (const listener of this.#listeners) listener();
  }

  disconnect(): void {
    this.connected = false;
    for (const { reject } of this.waiting.splice(0)) reject(new Error("socket has been disconnected"));
    for (const listener of this.#listeners) listener();
  }

  async answer(answer: unknown): Promise<void> {
    const { resolve, reject } = this.waiting.shift()!;
    if (answer instanceof Error) reject(answer);
    else resolve(answer);
    await settle();
  }

  sent = () => this.#sent.map((entry) => entry.content);
  keys = () => new Set(this.#sent.map((entry) => entry.key));
}

/** Web Locks: first come, first served, and the request ends when its callback does. */
export class FakeLocks implements Locks {
  mostAtOnce = 0;
  #holders = 0;
  #tail: Promise<unknown> = Promise.resolve();

  async request(_name: string, { signal }: { signal: AbortSignal }, held: () => Promise<void>): Promise<void> {
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise<void>((resolve) => (release = resolve));
    const aborted = new Promise<"aborted">((resolve) => signal.addEventListener("abort", () => resolve("aborted")));
    if ((await Promise.race([before, aborted])) === "aborted") {
      void before.then(release);
      throw signal.reason;
    }
    this.#holders += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#holders);
    await held().finally(() => (this.#holders -= 1));
    release();
  }
}

/** Broadcast channels that reach all members but the one that speaks. */
export class Hub {
  #members: { onmessage: ((event: MessageEvent) => unknown) | null }[] = [];

  join() {
    const member = {
      onmessage: null as ((event: MessageEvent) => unknown) | null,
      postMessage: (data: unknown) => {
        for (const other of this.#members) if (other !== member) other.onmessage?.({ data: structuredClone(data) } as MessageEvent);
      },
      close: () => void this.#members.splice(this.#members.indexOf(member), 1),
    };
    this.#members.push(member);
    return member;
  }
}

/** Lets `n` steps of a store and a link happen, then nothing ever again. */
export class Crash {
  happened = false;
  #steps = 0;

  constructor(readonly n: number, readonly when: "before" | "after") {}

  async #step<T>(action: () => Promise<T>): Promise<T> {
    const dies = this.#steps++ >= this.n;
    if (this.happened || (dies && this.when === "before")) return this.#die();
    const result = await action();
    return dies ? this.#die() : result;
  }

  #die(): Promise<never> {
    this.happened = true;
    return new Promise(() => {});
  }

  store(disk: OutboxStore): OutboxStore {
    return {
      add: (entry, limit) => this.#step(() => disk.add(entry, limit)),
      all: () => this.#step(() => disk.all()),
      fail: (key, failure) => this.#step(() => disk.fail(key, failure)),
      remove: (key) => this.#step(() => disk.remove(key)),
      replace: (key, entry) => this.#step(() => disk.replace(key, entry)),
    };
  }

  link(serve: (entry: Entry) => Promise<unknown>): Link {
    return { connected: true, send: (entry) => this.#step(() => serve(entry)), onChange: () => () => {} };
  }
}
