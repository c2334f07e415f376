// One queue out of two stores: the order of typing is the order of sending, storage or not.
import { expect, test } from "vitest";
import { type Entry, type Link, OutboxFullError, type OutboxStore } from "../src/outbox";
import { MemoryStore } from "../src/outbox-store";
import { Sender } from "../src/sender";

test("without_storage_messages_leave_from_memory", async () => {
  const { sender, link } = setUp(undefined);
  await sender.send("a");
  await sender.send("b");
  await until(() => link.sent.length === 2);
  expect(link.sent).toEqual(["a", "b"]);
});

test("with_storage_they_leave_from_there", async () => {
  const store = new MemoryStore();
  const { sender, link } = setUp(store, false);
  await sender.send("a");
  expect((await store.all()).map((entry) => entry.content)).toEqual(["a"]);
  link.set(true);
  await until(() => link.sent.length === 1);
  await until(async () => (await store.all()).length === 0);
});

test("what_went_to_memory_waits_for_what_was_stored_before_it", async () => {
  const store = new FailingStore();
  const { sender, link, troubles } = setUp(store, false);
  await sender.send("stored");
  store.full = true;
  await sender.send("in memory");
  store.full = false;
  await sender.send("in memory as well");
  expect(troubles.length).toBe(1);
  expect((await store.all()).map((entry) => entry.content)).toEqual(["stored"]);
  link.set(true);
  await until(() => link.sent.length === 3);
  expect(link.sent).toEqual(["stored", "in memory", "in memory as well"]);
});

test("a_refused_message_in_storage_holds_nothing_back", async () => {
  const store = new FailingStore();
  const { sender, link, seen } = setUp(store);
  link.answers = [{ error: "invalid", message: "no" }];
  await sender.send("refused");
  await until(() => seen()[0]?.failure !== undefined);
  store.full = true;
  await sender.send("in memory");
  await until(() => link.sent.length === 2);
  expect(link.sent).toEqual(["refused", "in memory"]);
});

test("storage_that_cannot_be_read_any_more_holds_nothing_back", async () => {
  const store = new FailingStore();
  const { sender, link } = setUp(store, false);
  await sender.send("lost with the storage");
  store.full = store.gone = true;
  await sender.send("in memory");
  link.set(true);
  await until(() => link.sent.length === 1);
  expect(link.sent).toEqual(["in memory"]);
});

test("a_full_queue_is_told_and_not_gone_around", async () => {
  const store = new FailingStore();
  store.crowded = true;
  const { sender, troubles } = setUp(store);
  await expect(sender.send("one too many")).rejects.toBeInstanceOf(OutboxFullError);
  expect(troubles).toEqual([]);
});

test("a_refused_message_is_sent_again_or_forgotten_wherever_it_is", async () => {
  for (const store of [undefined, new MemoryStore()]) {
    const { sender, link, seen } = setUp(store);
    link.answers = [{ error: "invalid", message: "no" }, { error: "invalid", message: "no" }];
    await sender.send("a");
    await sender.send("b");
    await until(() => seen().filter((entry) => entry.failure).length === 2);
    const [a, b] = seen();
    await sender.discard(a!);
    await sender.retry(b!);
    await until(() => seen().length === 0);
    expect(link.sent).toEqual(["a", "b", "b"]);
  }
});

function setUp(durable: OutboxStore | undefined, connected = true) {
  const link = new FakeLink(connected);
  const troubles: unknown[] = [];
  let entries: Entry[] = [];
  const sender = new Sender({
    link,
    durable,
    locks: undefined,
    channel: undefined,
    onEntries: (now) => (entries = now),
    onReport: () => {},
    onTrouble: (error) => troubles.push(error),
  });
  return { sender, link, troubles, seen: () => entries };
}

/** Waits for an event that shows as a condition: every step here is a promise, none a timer. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1_000; turn += 1) {
    if (await condition()) return;
  }
  throw new Error("it never happened");
}

class FakeLink implements Link {
  sent: string[] = [];
  answers: unknown[] = [];
  #listeners = new Set<() => void>();

  constructor(public connected: boolean) {}

  async send(entry: Entry): Promise<unknown> {
    this.sent.push(entry.content);
    return this.answers.shift() ?? { offset: this.sent.length, epoch: "e", duplicate: false };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(connected: boolean): void {
    this.connected = connected;
    for (const listener of this.#listeners) listener();
  }
}

class FailingStore extends MemoryStore {
  full = false;
  gone = false;
  crowded = false;

  override async add(entry: Entry, limit: number): Promise<void> {
    if (this.crowded) throw new OutboxFullError("enough");
    if (this.full) throw new DOMException("no room", "QuotaExceededError");
    return super.add(entry, limit);
  }

  override async all(): Promise<Entry[]> {
    if (this.gone) throw new DOMException("closed", "InvalidStateError");
    return super.all();
  }
}
