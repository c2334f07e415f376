// Both stores keep the same contract; IndexedDB runs on its in-memory double.
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { type Entry, OutboxFullError } from "../src/outbox";
import { MemoryStore, openOutboxStore } from "../src/outbox-store";

let databases = 0;
const kinds = [
  ["memory", async () => new MemoryStore()],
  ["indexeddb", async () => openOutboxStore(`test-${(databases += 1)}`)],
] as const;
const entry = (key: string): Entry => ({ key, content: `content of ${key}`, at: 1 });

test.each(kinds)("%s_keeps_the_order_of_adding", async (_name, open) => {
  const store = await open();
  for (const key of ["z", "a", "m"]) await store.add(entry(key), 10);
  expect(await store.all()).toEqual([entry("z"), entry("a"), entry("m")]);
  await store.remove("a");
  await store.remove("not there");
  await store.add(entry("b"), 10);
  expect((await store.all()).map((e) => e.key)).toEqual(["z", "m", "b"]);
});

test.each(kinds)("%s_refuses_more_than_the_limit", async (_name, open) => {
  const store = await open();
  await store.add(entry("a"), 1);
  await expect(store.add(entry("b"), 1)).rejects.toBeInstanceOf(OutboxFullError);
  expect((await store.all()).map((e) => e.key)).toEqual(["a"]);
});

test.each(kinds)("%s_marks_a_failure_in_place", async (_name, open) => {
  const store = await open();
  await store.add(entry("a"), 10);
  await store.add(entry("b"), 10);
  await store.fail("a", { error: "invalid", message: "no" });
  await store.fail("not there", { error: "invalid", message: "no" });
  expect(await store.all()).toEqual([{ ...entry("a"), failure: { error: "invalid", message: "no" } }, entry("b")]);
});

test.each(kinds)("%s_replaces_at_the_end_and_only_once", async (_name, open) => {
  const store = await open();
  await store.add(entry("a"), 10);
  await store.add(entry("b"), 10);
  expect(await store.replace("a", entry("a2"))).toBe(true);
  expect(await store.replace("a", entry("a3"))).toBe(false);
  expect((await store.all()).map((e) => e.key)).toEqual(["b", "a2"]);
});

test("indexeddb_keeps_entries_for_the_next_page", async () => {
  const store = await openOutboxStore("reload");
  await store.add(entry("a"), 10);
  const again = await openOutboxStore("reload");
  expect(await again.all()).toEqual([entry("a")]);
  await again.remove("a");
  expect(await store.all()).toEqual([]);
});

test("indexeddb_refuses_a_key_it_has_and_changes_nothing", async () => {
  const store = await openOutboxStore("unique");
  await store.add(entry("a"), 10);
  await expect(store.add(entry("a"), 10)).rejects.toThrow();
  expect((await store.all()).length).toBe(1);
});
