// The cursor's rules: every offset once, in order, nothing after a hole.
import { expect, test } from "vitest";
import { type Row, Timeline, parseRow } from "../src/timeline";

const row = (offset: number): Row => ({ offset, content: `m${offset}`, author: "a", key: `k-${offset}` });
const offsets = (timeline: Timeline) => timeline.rows.map((r) => r.offset);

test("the_first_message_sets_the_range_and_the_rest_must_follow_it", () => {
  const timeline = new Timeline();
  expect(timeline.accept(row(951))).toBe("added");
  expect(timeline.accept(row(952))).toBe("added");
  expect(timeline.accept(row(951))).toBe("seen");
  expect(timeline.accept(row(952))).toBe("seen");
  expect(timeline.accept(row(954))).toBe("hole");
  expect(timeline.accept(row(953))).toBe("added");
  expect(offsets(timeline)).toEqual([951, 952, 953]);
  expect(timeline.cursor).toBe(953);
});

test("a_message_beyond_a_hole_moves_nothing", () => {
  const timeline = new Timeline();
  timeline.reset("e", 7, [row(6), row(7)]);
  expect(timeline.accept(row(9))).toBe("hole");
  expect(timeline.cursor).toBe(7);
  expect(offsets(timeline)).toEqual([6, 7]);
});

test("an_empty_log_begins_with_one", () => {
  const timeline = new Timeline();
  timeline.startEmpty();
  expect(timeline.cursor).toBe(0);
  expect(timeline.accept(row(2))).toBe("hole");
  expect(timeline.accept(row(1))).toBe("added");
});

test("a_page_of_older_messages_must_reach_up_to_the_oldest", () => {
  const timeline = new Timeline();
  timeline.reset("e", 11, [row(10), row(11)]);
  expect(timeline.prepend([row(7), row(8)])).toBe(false);
  expect(timeline.prepend([row(7), row(9)])).toBe(false);
  expect(timeline.prepend([row(9), row(10)])).toBe(false);
  expect(timeline.prepend([row(8), row(9)])).toBe(true);
  expect(offsets(timeline)).toEqual([8, 9, 10, 11]);
  expect(timeline.at(9)?.content).toBe("m9");
  expect(timeline.at(7)).toBeUndefined();
  expect(timeline.at(12)).toBeUndefined();
});

test("trimming_takes_the_oldest_and_leaves_the_cursor", () => {
  const timeline = new Timeline();
  timeline.reset("e", 5, [1, 2, 3, 4, 5].map(row));
  timeline.trim(2);
  expect(offsets(timeline)).toEqual([4, 5]);
  expect(timeline.cursor).toBe(5);
});

test("what_is_forgotten_goes_and_the_cursor_stays", () => {
  const timeline = new Timeline();
  timeline.reset("e", 5, [3, 4, 5].map(row));
  const { version, generation } = timeline;
  timeline.forget(3);
  expect([timeline.version, offsets(timeline)]).toEqual([version, [3, 4, 5]]);
  timeline.forget(5);
  expect(timeline.version).toBeGreaterThan(version);
  expect(offsets(timeline)).toEqual([5]);
  timeline.forget(9);
  expect([timeline.cursor, offsets(timeline)]).toEqual([5, []]);
  expect(timeline.generation).toBe(generation);
  expect(timeline.accept(row(7))).toBe("hole");
  expect(timeline.accept(row(6))).toBe("added");
});

test("an_epoch_is_adopted_once", () => {
  const timeline = new Timeline();
  expect(timeline.adopt("e1")).toBe(true);
  expect(timeline.adopt("e1")).toBe(true);
  expect(timeline.adopt("e2")).toBe(false);
  expect(timeline.epoch).toBe("e1");
});

test("a_new_epoch_drops_what_was_held", () => {
  const timeline = new Timeline();
  timeline.reset("e1", 5, [row(5)]);
  timeline.reset("e2");
  expect(timeline.cursor).toBeUndefined();
  expect(timeline.rows).toEqual([]);
  expect(timeline.accept(row(3))).toBe("added");
});

test("rows_of_a_wrong_shape_are_not_rows", () => {
  expect(parseRow("hi", 3, { author: "a", clientOffset: "k", at: 9 })).toEqual({ offset: 3, content: "hi", author: "a", key: "k", at: 9 });
  expect(parseRow("hi", 3, undefined)).toEqual({ offset: 3, content: "hi", author: "", key: "" });
  for (const [content, offset] of [[1, 1], ["a", "1"], ["a", 1.5], ["a", 0], ["a", -1], ["a", Number.NaN], [null, 1], [{}, 1]]) {
    expect(parseRow(content, offset, {})).toBeUndefined();
  }
});
