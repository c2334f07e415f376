// What is said of messages that are not in the conversation yet.
import { expect, test } from "vitest";
import type { Entry } from "../src/outbox";
import { Pending } from "../src/pending";
import { Timeline } from "../src/timeline";

const entry = (key: string, failure?: Entry["failure"]): Entry => ({ key, content: key, at: 0, ...(failure ? { failure } : {}) });
const timeline = (...keys: string[]) => {
  const made = new Timeline();
  made.reset("e", keys.length, keys.map((key, i) => ({ offset: i + 1, content: key, author: "me", key })));
  return made;
};
const stored = (offset: number, epoch = "e") => ({ kind: "stored", offset, epoch, duplicate: false }) as const;
const looks = (pending: Pending, t: Timeline, connected = true) => pending.items(t, connected).map(({ entry, state }) => `${entry.key} ${state}`);

test("a_message_is_sending_while_connected_and_waiting_while_not", () => {
  const pending = new Pending();
  pending.update([entry("a")]);
  expect(looks(pending, timeline())).toEqual(["a sending"]);
  expect(looks(pending, timeline(), false)).toEqual(["a waiting"]);
});

test("a_message_is_shown_once_whether_its_row_or_its_ack_comes_first", () => {
  const rowFirst = new Pending();
  rowFirst.update([entry("a")]);
  expect(looks(rowFirst, timeline("a"))).toEqual([]);

  const ackFirst = new Pending();
  ackFirst.update([entry("a"), entry("b")]);
  ackFirst.report({ key: "a", verdict: stored(3) });
  ackFirst.update([entry("b")]);
  expect(looks(ackFirst, timeline("x", "y"))).toEqual(["a stored", "b sending"]);
  expect(looks(ackFirst, timeline("x", "y", "a"))).toEqual(["b sending"]);
  expect(ackFirst.has("a")).toBe(false);
});

test("a_stored_message_of_another_epoch_is_not_waited_for", () => {
  const pending = new Pending();
  pending.update([entry("a")]);
  pending.report({ key: "a", verdict: stored(9, "older") });
  pending.update([]);
  expect(looks(pending, timeline())).toEqual([]);
});

test("a_refused_message_stays_with_its_reason", () => {
  const pending = new Pending();
  pending.update([entry("a", { error: "invalid", message: "too long" }), entry("b", { error: "conflict", message: "" }), entry("c", { error: "other", message: "" })]);
  expect(pending.items(timeline("b"), true).map((item) => item.note)).toEqual([
    "Not sent. The server does not accept this message: too long",
    "Not sent. The server has another message under this one's key",
    "The server refused this message",
  ]);
});

test.each(["busy", "unavailable", "timeout", "surprise"])("%s_is_told_until_it_is_over", (error) => {
  const pending = new Pending();
  pending.update([entry("a")]);
  pending.report({ key: "a", verdict: { kind: "later", error, message: "" } });
  expect(pending.items(timeline(), true)[0]).toMatchObject({ state: "waiting", note: expect.stringMatching(/trying again$/) });
  pending.report({ key: "a", verdict: stored(1) });
  pending.update([]);
  expect(looks(pending, timeline())).toEqual(["a stored"]);
});
