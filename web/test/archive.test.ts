// The archive is a true piece of the conversation, whichever tabs write to it.
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { Archive, type Label, plan } from "../src/archive";
import type { Row } from "../src/timeline";

let databases = 0;
const open = (limit = 10) => Archive.open(`archive-${(databases += 1)}`, limit);
const rows = (first: number, last: number, epoch = "e"): Row[] =>
  Array.from({ length: last - first + 1 }, (_, i) => ({ offset: first + i, content: `${epoch}${first + i}`, author: "a", key: `k-${first + i}` }));
const label = (first: number, last: number): Label => ({ epoch: "e", range: { first, last } });
const contents = async (archive: Archive) => (await archive.load())?.rows.map((row) => row.content);

test("a_reload_finds_the_messages_and_the_cursor", async () => {
  const archive = await open();
  expect(await archive.load()).toBeUndefined();
  await archive.save("e", 5, rows(3, 5));
  expect(await archive.load()).toEqual({ epoch: "e", cursor: 5, self: undefined, rows: rows(3, 5) });
});

test("the_client_id_is_made_once", async () => {
  const name = `archive-${(databases += 1)}`;
  const [one, two] = await Promise.all([Archive.open(name), Archive.open(name)]);
  expect(await one.clientId()).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(await one.clientId()).toBe(await two.clientId());
});

test("only_the_newest_are_kept", async () => {
  const archive = await open(4);
  await archive.save("e", 6, rows(1, 6));
  expect(await contents(archive)).toEqual(["e3", "e4", "e5", "e6"]);
  await archive.save("e", 8, rows(1, 8));
  expect(await archive.load()).toMatchObject({ cursor: 8, rows: rows(5, 8) });
});

test("two_tabs_extend_one_range_and_neither_moves_it_back", async () => {
  const archive = await open();
  await archive.save("e", 3, rows(1, 3));
  await archive.save("e", 5, rows(1, 5)); // the fast tab
  await archive.save("e", 4, rows(1, 4)); // the slow tab
  expect(await archive.load()).toMatchObject({ cursor: 5, rows: rows(1, 5) });
  await archive.save("e", 6, rows(1, 6)); // the slow tab has caught up
  expect(await archive.load()).toMatchObject({ cursor: 6, rows: rows(1, 6) });
});

test("a_range_that_does_not_touch_replaces_an_older_one_and_never_a_newer_one", async () => {
  const archive = await open();
  await archive.save("e", 3, rows(1, 3));
  await archive.save("e", 9, rows(7, 9));
  expect(await archive.load()).toMatchObject({ cursor: 9, rows: rows(7, 9) });
  await archive.save("e", 4, rows(2, 4));
  expect(await archive.load()).toMatchObject({ cursor: 9, rows: rows(7, 9) });
});

test("older_pages_are_kept_as_far_as_there_is_room", async () => {
  const archive = await open(5);
  await archive.save("e", 20, rows(18, 20));
  await archive.save("e", 20, rows(11, 20));
  expect(await archive.load()).toMatchObject({ cursor: 20, rows: rows(16, 20) });
});

test("a_new_epoch_begins_empty_and_the_old_one_does_not_come_back", async () => {
  const archive = await open();
  await archive.save("e", 3, rows(1, 3));
  await archive.reset("e", "f");
  expect(await archive.load()).toMatchObject({ epoch: "f", cursor: undefined, rows: [] });
  await archive.save("e", 4, rows(1, 4)); // a tab that has not heard of it
  await archive.save("f", 2, rows(1, 2, "f"));
  expect(await contents(archive)).toEqual(["f1", "f2"]);
  await archive.reset("e", "f"); // the tab hears of it now
  expect(await contents(archive)).toEqual(["f1", "f2"]);
});

test("a_server_that_went_back_in_its_epoch_is_believed", async () => {
  const archive = await open();
  await archive.save("e", 9, rows(5, 9));
  await archive.learn("e", "me");
  await archive.reset("e", "e");
  await archive.save("e", 4, rows(2, 4));
  expect(await archive.load()).toEqual({ epoch: "e", cursor: 4, self: "me", rows: rows(2, 4) });
});

test("the_public_id_belongs_to_its_epoch", async () => {
  const archive = await open();
  await archive.save("e", 1, rows(1, 1));
  await archive.learn("other", "stranger");
  expect((await archive.load())?.self).toBeUndefined();
  await archive.learn("e", "me");
  await archive.save("e", 2, rows(1, 2));
  expect((await archive.load())?.self).toBe("me");
  await archive.reset("e", "f");
  expect((await archive.load())?.self).toBeUndefined();
});

test("an_empty_conversation_has_a_cursor_too", async () => {
  const archive = await open();
  await archive.save("e", 0, []);
  expect(await archive.load()).toMatchObject({ cursor: 0, rows: [] });
  await archive.save("e", 1, rows(1, 1));
  expect(await archive.load()).toMatchObject({ cursor: 1, rows: rows(1, 1) });
});

test("what_the_server_has_forgotten_goes_and_no_tab_brings_it_back", async () => {
  const archive = await open();
  await archive.save("e", 6, rows(1, 6));
  await archive.forget("e", 4);
  expect(await archive.load()).toMatchObject({ cursor: 6, rows: rows(4, 6) });
  await archive.save("e", 7, rows(1, 7)); // a tab that has not heard of it
  expect(await archive.load()).toMatchObject({ cursor: 7, rows: rows(4, 7) });
  await archive.forget("e", 2); // nor does it go back
  await archive.forget("other", 7);
  await archive.save("e", 8, rows(2, 8));
  expect(await archive.load()).toMatchObject({ cursor: 8, rows: rows(4, 8) });
});

test("all_of_it_may_be_forgotten_and_the_conversation_goes_on", async () => {
  const archive = await open();
  await archive.save("e", 6, rows(1, 6));
  await archive.forget("e", 7);
  expect(await archive.load()).toMatchObject({ cursor: 6, rows: [] });
  await archive.save("e", 8, rows(7, 8));
  expect(await archive.load()).toMatchObject({ cursor: 8, rows: rows(7, 8) });
  // Further than we have come: what follows the cursor is the server's to say.
  await archive.forget("e", 20);
  expect(await archive.load()).toMatchObject({ cursor: 8, rows: [] });
  await archive.save("e", 21, rows(19, 21));
  expect(await archive.load()).toMatchObject({ cursor: 21, rows: rows(20, 21) });
});

test("a_start_over_forgets_what_was_forgotten", async () => {
  const archive = await open();
  await archive.save("e", 6, rows(5, 6));
  await archive.forget("e", 6);
  await archive.reset("e", "e");
  await archive.save("e", 3, rows(1, 3));
  expect(await archive.load()).toMatchObject({ cursor: 3, rows: rows(1, 3) });
});

// Whatever is kept and whatever a tab holds, the outcome is one range without holes that is never
// longer than the limit, never older than before, and made of rows that are there.
test("every_plan_leaves_one_unbroken_range", () => {
  const limit = 3;
  for (let a = 1; a <= 8; a += 1) for (let b = a - 1; b <= 8; b += 1) for (let c = 1; c <= 8; c += 1) for (let d = c - 1; d <= 8; d += 1) {
    if (b - a + 1 > limit) continue;
    const kept = new Set(rows(a, b).map((row) => row.offset));
    const made = plan(label(a, b), "e", d, rows(c, d), limit);
    if (!made) {
      expect(d, `${a}-${b} with ${c}-${d}`).toBeLessThanOrEqual(b);
      continue;
    }
    if (made.clear) kept.clear();
    for (const row of made.put) kept.add(row.offset);
    for (const offset of kept) if (offset < made.keepFrom) kept.delete(offset);
    expect([...kept].sort((x, y) => x - y), `${a}-${b} with ${c}-${d}`).toEqual(rows(made.label.range!.first, made.label.range!.last).map((row) => row.offset));
    expect(kept.size).toBeLessThanOrEqual(limit);
    expect(made.label.range!.last).toBe(Math.max(b, d));
  }
});
