// The conversation over a fake socket: what each event of the server does to the timeline and the cursor.
import "fake-indexeddb/auto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Socket } from "socket.io-client";
import { Archive } from "../src/archive";
import { Chat, credentials } from "../src/chat";
import { type Row, Timeline } from "../src/timeline";

const page = (offset: number) => [`m${offset}`, offset, { author: "a", clientOffset: `k-${offset}`, at: 0 }];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("navigator", { onLine: true });
});
afterEach(() => void vi.useRealTimers());

test("each_attempt_names_the_cursor_of_that_moment", () => {
  const { socket, timeline } = setUp();
  const auth = () => credentials("client", timeline);
  expect(auth()).toEqual({ clientId: "client" });
  socket.receive("epoch", "e1", 100);
  expect(auth()).toEqual({ clientId: "client", epoch: "e1" });
  socket.message(51);
  socket.message(52);
  const cursor = { epoch: "e1", serverOffset: 52 };
  expect(auth()).toEqual({ clientId: "client", ...cursor, last: { clientOffset: "k-52", at: 0 } });
  // Once the row is gone nothing is known of it.
  timeline.forget(53);
  expect(auth()).toEqual({ clientId: "client", ...cursor });
});

test("an_empty_server_gives_a_cursor_of_zero", () => {
  const { socket, timeline } = setUp();
  socket.receive("epoch", "e1", 0);
  expect(credentials("client", timeline)).toMatchObject({ epoch: "e1", serverOffset: 0 });
});

test("a_hole_is_never_shown_and_makes_a_new_connection", () => {
  const { socket, timeline, chat } = setUp();
  socket.receive("epoch", "e1", 3);
  socket.message(1);
  socket.message(3);
  expect(timeline.cursor).toBe(1);
  expect(socket.calls).toEqual(["disconnect"]);
  expect(chat.status.kind).toBe("reconnecting");
  vi.advanceTimersByTime(1_000);
  expect(socket.calls).toEqual(["disconnect", "connect"]);
});

test("a_resync_drops_the_old_conversation_and_follows_the_new_stream", () => {
  const { socket, timeline, chat } = setUp();
  socket.receive("epoch", "e1", 2);
  socket.message(1);
  socket.message(2);
  for (const order of [["epoch", "resync"], ["resync", "epoch"]]) {
    const epoch = order.join("-");
    for (const event of order) {
      if (event === "epoch") socket.receive("epoch", epoch, 8);
      else socket.receive("resync", { epoch, first: 4, last: 8 });
    }
    expect(timeline.rows).toEqual([]);
    expect(credentials("client", timeline)).not.toHaveProperty("serverOffset");
    expect(chat.catchingUp).toBe(true);
    for (let offset = 7; offset <= 8; offset += 1) socket.message(offset);
    expect(timeline.rows.map((row) => row.offset)).toEqual([7, 8]);
    expect(timeline.epoch).toBe(epoch);
    expect(chat.catchingUp).toBe(false);
  }
});

test("another_epoch_without_a_resync_starts_over_as_well", () => {
  const { socket, timeline } = setUp();
  socket.receive("epoch", "e1", 1);
  socket.message(1);
  socket.receive("epoch", "e2", 1);
  expect(timeline.rows).toEqual([]);
  expect(credentials("client", timeline)).toEqual({ clientId: "client", epoch: "e2" });
});

test("a_server_that_went_back_in_the_same_epoch_is_followed", () => {
  const { socket, timeline } = setUp();
  socket.receive("epoch", "e1", 2);
  socket.message(1);
  socket.message(2);
  socket.receive("epoch", "e1", 1);
  socket.receive("resync", { epoch: "e1", first: 1, last: 1 });
  socket.message(1, "another past");
  expect(timeline.rows.map((row) => row.content)).toEqual(["another past"]);
});

test("junk_changes_nothing", () => {
  const { socket, timeline } = setUp();
  socket.receive("epoch", "e1", 1);
  socket.message(1);
  for (const junk of [[], [null], [1], [{}], [[]], ["x", -1], ["x", "2"], ["x", 1.5], [{ content: 1 }, 2]]) socket.receive("chat message", ...junk);
  for (const junk of [[], [null], [7], [{ epoch: 3 }], [[]]]) {
    socket.receive("resync", ...junk);
    socket.receive("epoch", ...junk);
  }
  expect(timeline.epoch).toBe("e1");
  expect(timeline.cursor).toBe(1);
});

test("the_ack_tells_who_we_are_whichever_comes_first", () => {
  for (const ackFirst of [true, false]) {
    const { socket, chat } = setUp();
    const ack = () => chat.recognise({ key: "k", verdict: { kind: "stored", offset: 2, epoch: "e1", duplicate: false } });
    socket.receive("epoch", "e1", 0);
    socket.message(1, "from someone", "someone");
    if (ackFirst) ack();
    expect(chat.self).toBeUndefined();
    socket.message(2, "from us", "us");
    if (!ackFirst) ack();
    expect(chat.self).toBe("us");
    socket.receive("resync", { epoch: "e2", first: 1, last: 0 });
    expect(chat.self).toBeUndefined();
  }
});

test("an_ack_of_another_epoch_tells_nothing", () => {
  const { socket, chat } = setUp();
  socket.receive("epoch", "e2", 0);
  socket.message(1, "from someone", "someone");
  chat.recognise({ key: "k", verdict: { kind: "stored", offset: 1, epoch: "e1", duplicate: false } });
  expect(chat.self).toBeUndefined();
});

test("older_pages_come_in_until_the_conversation_begins", async () => {
  const { socket, timeline, chat } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 5);
  socket.message(4);
  socket.message(5);
  expect(chat.past).toBe("more");
  const loading = chat.loadOlder();
  expect(chat.past).toBe("loading");
  void chat.loadOlder();
  expect(socket.asked).toEqual([["history", 4, 50]]);
  socket.answer({ messages: [page(2), page(3)], first: 2 });
  await loading;
  expect(timeline.rows.map((row) => row.offset)).toEqual([2, 3, 4, 5]);
  expect(chat.past).toBe("begins here");
  await chat.loadOlder();
  expect(socket.asked.length).toBe(1);
});

test.each([
  ["an error", { error: "unavailable", message: "" }],
  ["a page with a hole", { messages: [page(1), page(3)], first: 1 }],
  ["a page from elsewhere", { messages: [page(1)], first: 1 }],
  ["junk", { messages: ["x"], first: 1 }],
  ["nothing at all", undefined],
])("%s_in_place_of_a_page_can_be_asked_for_again", async (_name, answer) => {
  const { socket, timeline, chat } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 4);
  socket.message(4);
  const loading = chat.loadOlder();
  socket.answer(answer);
  await loading;
  expect(chat.past).toBe("failed");
  expect(timeline.rows.length).toBe(1);
  const again = chat.loadOlder();
  socket.answer({ messages: [page(3)], first: 3 });
  await again;
  expect(chat.past).toBe("begins here");
});

test("a_page_that_was_asked_for_before_a_resync_is_void", async () => {
  const { socket, timeline, chat } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 4);
  socket.message(4);
  const loading = chat.loadOlder();
  socket.receive("resync", { epoch: "e2", first: 1, last: 4 });
  socket.message(4);
  socket.answer({ messages: [page(3)], first: 1 });
  await loading;
  expect(timeline.rows.map((row) => row.offset)).toEqual([4]);
  expect(chat.past).toBe("more");
});

test("a_server_that_sends_us_away_is_asked_again_with_growing_pauses", () => {
  const { socket, chat } = setUp();
  socket.goOnline();
  socket.receive("disconnect", "io server disconnect");
  expect(chat.status.kind).toBe("reconnecting");
  vi.advanceTimersByTime(1_000);
  expect(socket.calls).toEqual(["connect"]);
  socket.active = false;
  vi.spyOn(Math, "random").mockReturnValue(1);
  for (const pause of [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    socket.calls = [];
    socket.receive("connect_error", new Error("too many"));
    expect(chat.status).toEqual({ kind: "unavailable", reason: "too many" });
    vi.advanceTimersByTime(pause - 1);
    expect(socket.calls).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(socket.calls).toEqual(["connect"]);
  }
  vi.restoreAllMocks();
});

test("a_message_that_the_server_cannot_read_is_said_and_asked_for_again_later", () => {
  const { socket, chat } = setUp();
  socket.goOnline();
  socket.receive("unreadable", "the next message cannot be read");
  socket.receive("disconnect", "io server disconnect");
  expect(chat.status.kind).toBe("unreadable");
  vi.advanceTimersByTime(14_999);
  expect(socket.calls).toEqual([]);
  vi.advanceTimersByTime(15_001);
  expect(socket.calls).toEqual(["connect"]);
  socket.goOnline();
  expect(chat.status.kind).toBe("online");
});

test.each([
  ["open", ["disconnect", "connect"]],
  ["closed", []],
])("an_upgrade_that_dies_halfway_on_an_%s_connection_calls_%j", (readyState, calls) => {
  const { socket } = setUp();
  socket.goOnline();
  socket.io.emit("open");
  socket.io.engine.emit("upgradeError"); // before it began: long-polling goes on
  vi.advanceTimersByTime(30_000);
  expect(socket.calls).toEqual([]);
  socket.io.engine.emit("upgrading");
  socket.io.engine.readyState = readyState;
  socket.io.engine.emit("upgradeError");
  vi.advanceTimersByTime(30_000);
  expect(socket.calls).toEqual(calls);
});

test("what_is_shown_is_kept_and_a_burst_makes_few_transactions", async () => {
  const archive = await Archive.open("chat-test");
  const save = vi.spyOn(archive, "save");
  const { socket } = setUp({ archive });
  socket.receive("epoch", "e1", 200);
  for (let offset = 1; offset <= 200; offset += 1) socket.message(offset);
  await vi.waitUntil(async () => (await archive.load())?.cursor === 200);
  expect((await archive.load())?.rows.length).toBe(200);
  expect(save.mock.calls.length).toBeLessThan(4);
});

test("what_the_server_has_forgotten_leaves_the_page_and_the_archive", async () => {
  const archive = await Archive.open("chat-forgotten");
  await archive.save("e1", 5, kept(1, 5));
  const { socket, timeline, chat } = setUp({ archive });
  timeline.reset("e1", 5, kept(1, 5));
  socket.receive("epoch", "e1", 6, 4);
  expect(timeline.rows.map((row) => row.offset)).toEqual([4, 5]);
  expect(chat.past).toBe("begins here");
  expect(credentials("client", timeline)).toMatchObject({ epoch: "e1", serverOffset: 5 });
  socket.message(6);
  await vi.waitUntil(async () => (await archive.load())?.cursor === 6);
  expect((await archive.load())?.rows.map((row) => row.offset)).toEqual([4, 5, 6]);
});

test("a_page_that_stays_open_asks_each_minute_what_was_forgotten", async () => {
  const { socket, timeline } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 3, 1);
  for (let offset = 1; offset <= 3; offset += 1) socket.message(offset);
  for (const first of [2, 3]) {
    vi.advanceTimersByTime(59_999);
    expect(socket.asked).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(socket.asked.splice(0)).toEqual([["history", 0, 0]]);
    socket.answer({ messages: [], first });
    await settled();
    expect(timeline.rows[0]?.offset).toBe(first);
  }
  socket.receive("disconnect", "transport close");
  vi.advanceTimersByTime(600_000);
  expect(socket.asked).toEqual([]);
});

test("an_answer_from_before_a_resync_forgets_nothing_after_it", async () => {
  const { socket, timeline } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 9, 8);
  vi.advanceTimersByTime(60_000);
  socket.receive("resync", { epoch: "e2", first: 1, last: 2 });
  socket.message(1);
  socket.message(2);
  socket.answer({ messages: [], first: 9 });
  await settled();
  expect(timeline.rows.map((row) => row.offset)).toEqual([1, 2]);
});

test("rows_that_are_forgotten_while_older_ones_load_are_no_failure", async () => {
  const { socket, timeline, chat } = setUp();
  socket.goOnline();
  socket.receive("epoch", "e1", 5, 1);
  socket.message(4);
  socket.message(5);
  const loading = chat.loadOlder();
  socket.receive("epoch", "e1", 5, 5);
  socket.answer({ messages: [page(3)], first: 3 });
  await loading;
  expect(timeline.rows.map((row) => row.offset)).toEqual([5]);
  expect(chat.past).toBe("begins here");
});

test("a_server_that_does_not_tell_what_it_keeps_is_understood", () => {
  const { socket, timeline } = setUp();
  timeline.reset("e1", 2, kept(1, 2));
  // The last argument may be the client's own business.
  for (const more of [[], ["an-offset"], [-1], [1.5], [null]]) socket.receive("epoch", "e1", 2, ...more);
  expect(timeline.rows.map((row) => row.offset)).toEqual([1, 2]);
});

/** Lets whoever waits for an answer that is there take it. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

const kept = (first: number, last: number): Row[] =>
  Array.from({ length: last - first + 1 }, (_, i) => ({ offset: first + i, content: `m${first + i}`, author: "a", key: `k-${first + i}` }));

function setUp({ archive }: { archive?: Archive } = {}) {
  const socket = new FakeSocket();
  const timeline = new Timeline();
  const chat = new Chat({ socket: socket as unknown as Socket, timeline, archive, self: undefined, onChange: () => {}, onTrouble: () => {} });
  return { socket, timeline, chat };
}

class Emitter {
  readyState = "open";
  #listeners = new Map<string, (...args: unknown[]) => void>();

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.#listeners.set(event, listener);
  }

  once = this.on;

  emit(event: string): void {
    this.#listeners.get(event)?.();
  }
}

class FakeSocket {
  io = Object.assign(new Emitter(), { engine: new Emitter() });
  connected = false;
  active = true;
  calls: string[] = [];
  asked: unknown[][] = [];
  #answers: ((answer: unknown) => void)[] = [];
  #listeners = new Map<string, (...args: unknown[]) => void>();

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.#listeners.set(event, listener);
  }

  receive(event: string, ...args: unknown[]): void {
    this.#listeners.get(event)?.(...args);
  }

  message(offset: number, content = `m${offset}`, author = "a"): void {
    this.receive("chat message", content, offset, { author, clientOffset: `k-${offset}`, at: 0 });
  }

  goOnline(): void {
    this.connected = true;
    this.receive("connect");
  }

  connect(): void {
    this.calls.push("connect");
  }

  disconnect(): void {
    this.connected = false;
    this.calls.push("disconnect");
    this.receive("disconnect", "io client disconnect");
  }

  timeout() {
    return {
      emitWithAck: (...args: unknown[]) => {
        this.asked.push(args);
        return new Promise((resolve) => this.#answers.push(resolve));
      },
    };
  }

  answer(answer: unknown): void {
    this.#answers.shift()?.(answer);
  }
}
