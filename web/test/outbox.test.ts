// What the outbox promises, on a fake store, a fake server and fake timers.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Entry, Outbox, OutboxFullError, type OutboxOptions, type Report, judge, socketLink } from "../src/outbox";
import { MemoryStore } from "../src/outbox-store";
import { Crash, FakeLocks, FakeServer, Hub, settle } from "./outbox-fakes";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("messages_are_sent_in_order_one_at_a_time", async () => {
  const { outbox, server } = setUp();
  await Promise.all(["a", "b", "c"].map((content) => outbox.add(content)));
  await settle();
  expect(server.waiting.map((w) => w.entry.content)).toEqual(["a"]);
  await server.answer(stored(1));
  expect(server.waiting.map((w) => w.entry.content)).toEqual(["b"]);
  await server.answer(stored(2));
  await server.answer(stored(3));
  expect(server.sent()).toEqual(["a", "b", "c"]);
  expect(server.mostAtOnce).toBe(1);
});

test("an_entry_is_stored_before_it_is_sent_and_removed_after_the_ack", async () => {
  const { outbox, server, store } = setUp();
  await outbox.add("a");
  expect((await store.all()).length).toBe(1);
  await settle();
  expect((await store.all()).length).toBe(1);
  await server.answer(stored(1));
  expect(await store.all()).toEqual([]);
});

test("nothing_is_sent_while_disconnected_and_all_of_it_on_connect", async () => {
  const { outbox, server } = setUp({}, { connected: false });
  await outbox.add("a");
  await outbox.add("b");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(server.sent()).toEqual([]);
  server.connect();
  await settle();
  await server.answer(stored(1));
  await server.answer(stored(2));
  expect(server.sent()).toEqual(["a", "b"]);
});

test.each([
  ["busy", { error: "busy", message: "" }],
  ["unavailable", { error: "unavailable", message: "" }],
  ["an answer nobody understands", { surprise: true }],
  ["no answer in time", new Error("timeout")],
])("%s_is_tried_again_with_growing_pauses_under_the_same_key", async (_name, answer) => {
  const { outbox, server } = setUp({ random: () => 1 });
  await outbox.add("a");
  await settle();
  for (const pause of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
    await server.answer(answer);
    await vi.advanceTimersByTimeAsync(pause - 1);
    expect(server.waiting).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.waiting.length).toBe(1);
  }
  expect(server.keys().size).toBe(1);
});

test("chance_halves_a_pause_at_most", async () => {
  const { outbox, server } = setUp({ random: () => 0 });
  await outbox.add("a");
  await settle();
  await server.answer({ error: "busy", message: "" });
  await vi.advanceTimersByTimeAsync(249);
  expect(server.waiting).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(server.waiting.length).toBe(1);
});

test("the_pause_starts_small_again_after_a_success", async () => {
  const { outbox, server } = setUp({ random: () => 1 });
  await outbox.add("a");
  await outbox.add("b");
  await settle();
  await server.answer({ error: "busy" });
  await vi.advanceTimersByTimeAsync(500);
  await server.answer({ error: "busy" });
  await vi.advanceTimersByTimeAsync(1_000);
  await server.answer(stored(1));
  await server.answer({ error: "busy" });
  await vi.advanceTimersByTimeAsync(500);
  expect(server.waiting.map((w) => w.entry.content)).toEqual(["b"]);
});

test("typing_more_does_not_cut_a_pause_short", async () => {
  const { outbox, server } = setUp({ random: () => 1 });
  await outbox.add("a");
  await settle();
  await server.answer({ error: "busy" });
  await outbox.add("b");
  await vi.advanceTimersByTimeAsync(499);
  expect(server.waiting).toEqual([]);
});

test("a_new_connection_ends_a_pause", async () => {
  const { outbox, server } = setUp();
  await outbox.add("a");
  await settle();
  await server.answer({ error: "unavailable" });
  server.connect();
  await settle();
  expect(server.sent()).toEqual(["a", "a"]);
});

test("a_hundred_broken_connections_do_not_use_up_a_message", async () => {
  const { outbox, server } = setUp({ random: () => 1 });
  await outbox.add("a");
  await settle();
  for (let i = 0; i < 100; i += 1) {
    server.disconnect();
    await settle();
    expect(server.waiting).toEqual([]);
    server.connect();
    await settle();
    expect(server.waiting.length).toBe(1);
  }
  // The first pause after all that is still the smallest.
  await server.answer({ error: "busy" });
  await vi.advanceTimersByTimeAsync(500);
  expect(server.waiting.length).toBe(1);
  expect(server.keys().size).toBe(1);
});

test.each(["invalid", "conflict"])("%s_is_final_reported_and_lets_the_next_pass", async (error) => {
  const reports: Report[] = [];
  const { outbox, server, store } = setUp({ onReport: (report) => reports.push(report) });
  const a = await outbox.add("a");
  await outbox.add("b");
  await settle();
  await server.answer({ error, message: "no" });
  expect(reports).toEqual([{ key: a.key, verdict: { kind: "refused", error, message: "no" } }]);
  expect((await store.all())[0]?.failure).toEqual({ error, message: "no" });
  expect(server.waiting.map((w) => w.entry.content)).toEqual(["b"]);
  await server.answer(stored(1));
  await vi.advanceTimersByTimeAsync(600_000);
  expect(server.sent()).toEqual(["a", "b"]);
});

test("a_refused_message_is_sent_again_under_a_new_key_or_forgotten", async () => {
  const { outbox, server, store } = setUp();
  await outbox.add("a");
  await outbox.add("b");
  await settle();
  await server.answer({ error: "invalid", message: "no" });
  await server.answer({ error: "invalid", message: "no" });
  const [a, b] = await store.all();
  await outbox.retry(a!);
  await outbox.retry(a!);
  await outbox.discard(b!);
  await settle();
  expect(server.waiting.map((w) => w.entry.content)).toEqual(["a"]);
  expect(server.waiting[0]!.entry.key).not.toBe(a!.key);
  await server.answer(stored(1));
  expect(await store.all()).toEqual([]);
  expect(server.sent()).toEqual(["a", "b", "a"]);
});

test("keys_are_never_used_twice_by_any_instance", async () => {
  const store = new MemoryStore();
  const keys = new Set<string>();
  for (let i = 0; i < 20; i += 1) {
    const { outbox } = setUp({ store }, { connected: false });
    for (let n = 0; n < 5; n += 1) keys.add((await outbox.add("x")).key);
    await outbox.close();
  }
  expect(keys.size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-]{22}-[0-9]+$/);
});

test("the_number_of_entries_is_bounded_and_the_excess_is_told", async () => {
  const { outbox, store } = setUp({ limit: 3 }, { connected: false });
  for (const content of ["a", "b", "c"]) await outbox.add(content);
  await expect(outbox.add("d")).rejects.toBeInstanceOf(OutboxFullError);
  expect((await store.all()).map((entry) => entry.content)).toEqual(["a", "b", "c"]);
});

test("only_the_owner_sends_and_the_ownership_passes_on", async () => {
  const locks = new FakeLocks();
  const store = new MemoryStore();
  const hub = new Hub();
  const first = setUp({ store, locks, channel: hub.join() });
  const second = setUp({ store, locks, channel: hub.join() });
  await settle();
  await second.outbox.add("typed in the second");
  await settle();
  expect(first.server.sent()).toEqual(["typed in the second"]);
  expect(second.server.sent()).toEqual([]);
  // The answer in flight belongs to the first: until it is there, nobody else may send.
  await second.outbox.add("next");
  const closed = first.outbox.close();
  await settle();
  expect(second.server.sent()).toEqual([]);
  await first.server.answer(stored(1));
  await closed;
  await settle();
  expect(first.server.sent()).toEqual(["typed in the second"]);
  expect(second.server.sent()).toEqual(["next"]);
  expect(locks.mostAtOnce).toBe(1);
});

test("a_tab_without_a_connection_lets_another_one_send", async () => {
  const locks = new FakeLocks();
  const store = new MemoryStore();
  const hub = new Hub();
  const first = setUp({ store, locks, channel: hub.join() });
  const second = setUp({ store, locks, channel: hub.join() });
  await settle();
  await second.outbox.add("a");
  await second.outbox.add("b");
  await settle();
  first.server.disconnect();
  await settle();
  await second.server.answer(stored(1));
  // The first is back, and waits its turn.
  first.server.connect();
  await settle();
  expect(first.server.sent()).toEqual(["a"]);
  await second.server.answer(stored(2));
  expect(second.server.sent()).toEqual(["a", "b"]);
  expect([...first.server.keys()][0]).toBe([...second.server.keys()][0]);
  expect(locks.mostAtOnce).toBe(1);
  second.server.disconnect();
  await second.outbox.add("c");
  await settle();
  expect(first.server.sent()).toEqual(["a", "c"]);
});

test("an_owner_that_is_idle_or_pausing_lets_go_when_its_connection_does", async () => {
  for (const busy of [false, true]) {
    const locks = new FakeLocks();
    const store = new MemoryStore();
    const first = setUp({ store, locks });
    const second = setUp({ store, locks });
    await settle();
    if (busy) {
      await first.outbox.add("a");
      await settle();
      await first.server.answer({ error: "busy" });
    }
    first.server.disconnect();
    await settle();
    if (!busy) await second.outbox.add("a");
    await settle();
    expect(second.server.sent()).toEqual(["a"]);
    expect(locks.mostAtOnce).toBe(1);
  }
});

test("without_a_lock_that_works_the_outbox_still_sends", async () => {
  const troubles: unknown[] = [];
  const locks = { request: async () => Promise.reject(new Error("not in this document")) };
  const { outbox, server } = setUp({ locks, onTrouble: (error) => troubles.push(error) });
  await outbox.add("a");
  await settle();
  expect(server.sent()).toEqual(["a"]);
  expect(troubles.length).toBe(1);
});

test("every_tab_hears_the_entries_and_the_outcomes", async () => {
  const locks = new FakeLocks();
  const store = new MemoryStore();
  const hub = new Hub();
  const reports: Report[] = [];
  let seen: Entry[] = [];
  const owner = setUp({ store, locks, channel: hub.join() });
  const other = setUp({ store, locks, channel: hub.join(), onReport: (r) => reports.push(r), onEntries: (e) => (seen = e) });
  await settle();
  const { key } = await owner.outbox.add("a");
  await settle();
  expect(seen.map((entry) => entry.key)).toEqual([key]);
  await owner.server.answer(stored(7));
  expect(reports).toEqual([{ key, verdict: { kind: "stored", offset: 7, epoch: "e", duplicate: false } }]);
  expect(seen).toEqual([]);
  expect(other.server.sent()).toEqual([]);
});

test("a_tab_that_closes_while_it_waits_for_the_ownership_just_leaves", async () => {
  const locks = new FakeLocks();
  const store = new MemoryStore();
  const troubles: unknown[] = [];
  setUp({ store, locks });
  const second = setUp({ store, locks, onTrouble: (error) => troubles.push(error) });
  await settle();
  await second.outbox.close();
  expect(troubles).toEqual([]);
});

test("an_answer_is_not_forgotten_when_the_store_fails_to_remove_the_entry", async () => {
  const store = new MemoryStore();
  const troubles: unknown[] = [];
  const { outbox, server } = setUp({ store, random: () => 1, onTrouble: (error) => troubles.push(error) });
  await outbox.add("a");
  await outbox.add("b");
  await settle();
  const remove = vi.spyOn(store, "remove").mockRejectedValueOnce(new Error("disk")).mockRejectedValueOnce(new Error("disk"));
  await server.answer(stored(1));
  expect(troubles.length).toBe(1);
  expect(server.sent()).toEqual(["a"]);
  await vi.advanceTimersByTimeAsync(500 + 1_000);
  expect(remove).toHaveBeenCalledTimes(3);
  expect(server.sent()).toEqual(["a", "b"]);
});

// The page may die between any two steps. A crash here stops the world of one outbox at step `n`:
// before the step happens, or after it happened but before anybody knows. The next outbox on the
// same store must bring the server to the same rows whatever `n` was.
test.each(["before", "after"] as const)("a_crash_%s_any_step_loses_nothing_and_stores_nothing_twice", async (when) => {
  let crashes = 0;
  for (let n = 0; n < 40; n += 1) {
    const disk = new MemoryStore();
    const rows = new Map<string, string>();
    const serve = async (entry: Entry) => {
      const duplicate = rows.has(entry.key);
      if (!duplicate) rows.set(entry.key, entry.content);
      return { offset: [...rows.keys()].indexOf(entry.key) + 1, epoch: "e", duplicate };
    };
    const crash = new Crash(n, when);
    const added: string[] = [];
    const first = new Outbox({ store: crash.store(disk), link: crash.link(serve) });
    void (async () => {
      for (const content of ["a", "b", "c"]) {
        await first.add(content);
        added.push(content);
      }
    })();
    await settle();
    if (crash.happened) crashes += 1;

    new Outbox({ store: disk, link: { connected: true, send: serve, onChange: () => () => {} } });
    await settle();
    const contents = [...rows.values()];
    expect(contents, `crash ${when} step ${n}`).toEqual(["a", "b", "c"].slice(0, contents.length));
    expect(contents.length).toBeGreaterThanOrEqual(added.length);
    expect(await disk.all()).toEqual([]);
  }
  // The loop went through the whole run and beyond it.
  expect(crashes).toBeGreaterThan(9);
  expect(crashes).toBeLessThan(40);
});

test("answers_are_judged_as_the_contract_says", () => {
  expect(judge(undefined)).toEqual({ kind: "stored", duplicate: false });
  expect(judge({ offset: 3, epoch: "e", duplicate: true })).toEqual({ kind: "stored", offset: 3, epoch: "e", duplicate: true });
  expect(judge({ error: "invalid", message: "m" })).toEqual({ kind: "refused", error: "invalid", message: "m" });
  for (const odd of [true, 1, "ok", [], {}, { offset: "3" }, { offset: 1.5 }, { error: 4, offset: 1 }, { error: "constructor" }]) {
    expect(judge(odd).kind).toBe("later");
  }
});

test("a_link_over_the_official_client_emits_content_key_and_awaits_the_ack", async () => {
  const calls: unknown[] = [];
  const listeners = new Map<string, () => void>();
  const socket = {
    connected: true,
    timeout: (ms: number) => ({
      emitWithAck: async (...args: unknown[]) => (calls.push([ms, ...args]), "answer"),
    }),
    on: (event: string, listener: () => void) => listeners.set(event, listener),
    off: (event: string) => listeners.delete(event),
  };
  const link = socketLink(socket, "chat message", 5_000);
  const off = link.onChange(() => {});
  expect([...listeners.keys()]).toEqual(["connect", "disconnect"]);
  off();
  expect(listeners.size).toBe(0);
  expect(await link.send({ key: "k-1", content: "hi", at: 0 })).toBe("answer");
  expect(calls).toEqual([[5_000, "chat message", "hi", "k-1"]]);
});

function setUp(options: Partial<OutboxOptions> = {}, { connected = true } = {}) {
  const server = new FakeServer(connected);
  const store = options.store ?? new MemoryStore();
  const outbox = new Outbox({ now: () => 0, ...options, store, link: server });
  return { outbox, server, store };
}

const stored = (offset: number) => ({ offset, epoch: "e", duplicate: false });
