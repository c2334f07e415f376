// What a client with a `clientId` is told: answers, the epoch, resync, pages of history, and who is the author.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chat, fill, newClientId, say, visit, visitor } from "../lib/chat.mjs";
import { call } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { event } from "../lib/wait.mjs";

/** A client with an id, and the epoch it was told. */
async function person(t, chat, auth = {}, options = {}) {
  const socket = await visit(t, chat, { auth: { clientId: newClientId(), ...auth }, ...options });
  [socket.epoch, socket.last] = await socket.epochs.take("the epoch");
  return socket;
}

group("Chat", () => {
  test("the answer says where the message is stored, and whether it was before", async (t) => {
    const chat = await Chat.start(t);
    const socket = await person(t, chat);
    assert.deepEqual(await say(socket, "hello", "a-0"), [{ offset: 1, epoch: socket.epoch, duplicate: false }]);
    assert.deepEqual(await say(socket, "more", "a-1"), [{ offset: 2, epoch: socket.epoch, duplicate: false }]);
    assert.deepEqual(await say(socket, "hello", "a-0"), [{ offset: 1, epoch: socket.epoch, duplicate: true }]);
    assert.deepEqual(await say(socket, "again", "a-2"), [{ offset: 3, epoch: socket.epoch, duplicate: false }]);
  });

  test("a repeat is known from another connection and after a restart", async (t) => {
    const chat = await Chat.start(t);
    const clientId = newClientId();
    const first = await person(t, chat, { clientId });
    assert.deepEqual(await say(first, "hello", "a-0"), [{ offset: 1, epoch: first.epoch, duplicate: false }]);
    const second = await person(t, chat, { clientId });
    assert.deepEqual(await say(second, "hello", "a-0"), [{ offset: 1, epoch: first.epoch, duplicate: true }]);
    await chat.kill();
    await chat.run();
    const third = await person(t, chat, { clientId });
    assert.equal(third.epoch, first.epoch);
    assert.deepEqual(await say(third, "hello", "a-0"), [{ offset: 1, epoch: first.epoch, duplicate: true }]);
  });

  test("another content under the same key is a conflict, for good", async (t) => {
    const chat = await Chat.start(t);
    const socket = await person(t, chat);
    await say(socket, "hello", "a-0");
    for (let i = 0; i < 2; i += 1) {
      const [{ error, message, ...rest }] = await say(socket, "something else", "a-0");
      assert.equal(error, "conflict");
      assert.equal(typeof message, "string");
      assert.deepEqual(rest, {});
    }
    assert.equal((await socket.messages.take())[0], "hello");
    assert.equal(socket.messages.waiting, 0);
  });

  test("keys of different people never meet", async (t) => {
    const chat = await Chat.start(t);
    const [one, two] = [await person(t, chat), await person(t, chat)];
    assert.equal((await say(one, "one", "a-0"))[0].offset, 1);
    assert.deepEqual(await say(two, "two", "a-0"), [{ offset: 2, epoch: two.epoch, duplicate: false }]);
  });

  test("nobody can take another's name: what is shown of an author does not prove it", async (t) => {
    const chat = await Chat.start(t);
    const clientId = newClientId();
    const one = await person(t, chat, { clientId });
    await say(one, "one", "a-0");
    const [, , { author }] = await one.messages.take();
    assert.notEqual(author, clientId);
    const thief = visitor(t, chat, { auth: { clientId: author.padEnd(16, "x") } });
    await event(thief, "connect");
    await say(thief, "two", "a-0");
    const [, offset, details] = await one.messages.take();
    assert.equal(offset, 2);
    assert.notEqual(details.author, author);
  });

  test("one person has one author on all connections, two people have two", async (t) => {
    const chat = await Chat.start(t);
    const clientId = newClientId();
    const [one, again, other] = [await person(t, chat, { clientId }), await person(t, chat, { clientId }), await person(t, chat)];
    await say(one, "1", "a-0");
    await say(again, "2", "a-1");
    await say(other, "3", "a-0");
    const authors = [];
    for (let i = 0; i < 3; i += 1) authors.push((await one.messages.take())[2].author);
    assert.equal(authors[0], authors[1]);
    assert.notEqual(authors[0], authors[2]);
  });

  // One chat for the many tests that each say one thing.
  let sharedChat;
  const endings = [];
  before(async () => (sharedChat = await Chat.start({ after: (end) => endings.unshift(end) })));
  after(async () => {
    for (const end of endings) await end();
  });

  const invalid = [
    ["no content", []],
    ["no key", ["hello"]],
    ["a content that is null", [null, "a-0"]],
    ["a content that is a number", [5, "a-0"]],
    ["a content that is an object", [{ toString: "x" }, "a-0"]],
    ["a content that is a list", [["hello"], "a-0"]],
    ["a content of bytes", [Buffer.from("hello"), "a-0"]],
    ["an empty content", ["", "a-0"]],
    ["a content of 8,193 bytes", ["x".repeat(8193), "a-0"]],
    ["a content of 8,193 bytes in fewer characters", [`${"é".repeat(4096)}x`, "a-0"]],
    ["a content of a megabyte", ["x".repeat(900_000), "a-0"]],
    ["a key that is null", ["hello", null]],
    ["a key that is a number", ["hello", 7]],
    ["a key that is an object", ["hello", {}]],
    ["an empty key", ["hello", ""]],
    ["a key of 129 bytes", ["hello", "k".repeat(129)]],
  ];

  for (const [what, args] of invalid) {
    test(`${what} is invalid, for good, and nothing is stored`, async (t) => {
      const chat = sharedChat;
      const socket = await person(t, chat);
      const [{ error, message, ...rest }] = await say(socket, ...args);
      assert.equal(error, "invalid");
      assert.equal(typeof message, "string");
      assert.deepEqual(rest, {});
      assert.equal((await say(socket, "next", "a-1"))[0].offset, socket.last + 1);
    });

    test(`${what} is not acknowledged to the tutorial's page, and nothing is stored`, async (t) => {
      const chat = sharedChat;
      const before = (await person(t, chat)).last;
      const socket = await visit(t, chat, { auth: { serverOffset: before } });
      let acknowledged = false;
      socket.emit("chat message", ...args, () => (acknowledged = true));
      assert.deepEqual(await say(socket, "next", `${socket.id}-0`), []);
      assert.equal(acknowledged, false);
      assert.deepEqual((await socket.messages.take()).slice(0, 2), ["next", before + 1]);
    });
  }

  test("the longest content and key are stored as they are, and further arguments ignored", async (t) => {
    const chat = sharedChat;
    const socket = await person(t, chat);
    const reader = await visit(t, chat, { auth: { serverOffset: socket.last } });
    for (const [i, content] of ["x".repeat(8192), "é".repeat(4096), "a\u0000b\n<b>&\u2028😀", " "].entries()) {
      const key = `${i}${"k".repeat(127)}`;
      assert.equal((await say(socket, content, key, "more", { and: "more" }))[0].duplicate, false);
      const [got, , details] = await reader.messages.take();
      assert.equal(got, content);
      assert.equal(details.clientOffset, key);
    }
  });

  test("messages without an acknowledgement are stored as well", async (t) => {
    const chat = await Chat.start(t);
    const socket = await person(t, chat);
    socket.emit("chat message", "hello", "a-0");
    assert.deepEqual((await socket.messages.take()).slice(0, 2), ["hello", 1]);
  });

  test("a flood of messages is answered in full: each stored once or refused to be tried again", async (t) => {
    const chat = await Chat.start(t);
    const socket = await person(t, chat);
    const answers = await Promise.all(Array.from({ length: 3000 }, (_, i) => say(socket, `flood ${i}`, `flood-${i}`)));
    const stored = answers.map(([answer]) => answer).filter((answer) => answer.error === undefined);
    for (const [{ error }] of answers) assert.ok(error === undefined || error === "busy", `error ${error}`);
    assert.deepEqual(stored.map(({ offset }) => offset), Array.from(stored, (_, i) => i + 1));
  });

  test("a client with a clientId is told the epoch, the last offset and the first before its first message", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 20);
    for (const auth of [{}, { serverOffset: 0 }, { serverOffset: 19 }, { history: 5 }]) {
      const socket = await visit(t, chat, { auth: { clientId: newClientId(), ...auth } });
      await socket.messages.take();
      assert.deepEqual(socket.order.slice(0, 2), ["epoch", "chat message"]);
      const [epoch, last, first, ...rest] = await socket.epochs.take();
      assert.equal(typeof epoch, "string");
      assert.deepEqual([last, first], [20, 1]);
      assert.deepEqual(rest, []);
    }
  });

  test("a client without an id is told neither epoch nor resync", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 3);
    const socket = await visit(t, chat, { auth: { serverOffset: 0 } });
    for (let i = 0; i < 3; i += 1) await socket.messages.take();
    assert.deepEqual(socket.order, ["chat message", "chat message", "chat message"]);
  });

  test("who names no cursor begins with the last messages of --history", async (t) => {
    const chat = await Chat.start(t, { args: ["--history", "10"] });
    await fill(t, chat, 100);
    for (const auth of [{ clientId: newClientId() }, {}]) {
      const socket = await visit(t, chat, { auth });
      await expectOffsets(socket, 91, 100);
    }
  });

  test("auth.history says with how many to begin", async (t) => {
    const chat = await Chat.start(t, { args: ["--history", "10"] });
    await fill(t, chat, 100);
    for (const [history, first] of [[3, 98], [1, 100], [50, 51], [1000, 1]]) {
      await expectOffsets(await person(t, chat, { history }), first, 100);
    }
    const none = await person(t, chat, { history: 0 });
    await say(none, "next", "a-0");
    assert.equal((await none.messages.take())[1], 101);
  });

  test("a cursor that fits is not resynced, also with its epoch", async (t) => {
    const chat = await Chat.start(t, { args: ["--history", "10"] });
    await fill(t, chat, 50);
    const { epoch } = await person(t, chat);
    for (const serverOffset of [0, 20, 49]) {
      const socket = await person(t, chat, { epoch, serverOffset, history: 3 });
      await expectOffsets(socket, serverOffset + 1, 50);
      assert.equal(socket.resyncs.waiting, 0);
    }
    const atTail = await person(t, chat, { epoch, serverOffset: 50 });
    await say(atTail, "next", "a-0");
    await expectOffsets(atTail, 51, 51);
    assert.equal(atTail.resyncs.waiting, 0);
  });

  const misfits = [
    ["of another epoch", { epoch: "another", serverOffset: 20 }],
    ["beyond the tail", { serverOffset: 51 }],
    ["far beyond the tail", { serverOffset: Number.MAX_SAFE_INTEGER }],
    ["beyond what an integer can be", { serverOffset: 1e300 }],
    ["that is text", { serverOffset: "20" }],
    ["that is negative", { serverOffset: -1 }],
    ["that is a fraction", { serverOffset: 1.5 }],
    ["that is an object", { serverOffset: { offset: 20 } }],
    ["that is a list", { serverOffset: [20] }],
    ["that is true", { serverOffset: true }],
  ];
  for (const [what, auth] of misfits) {
    test(`a cursor ${what} is answered with resync, and goes on like none`, async (t) => {
      const chat = await Chat.start(t, { args: ["--history", "10"] });
      await fill(t, chat, 50);
      const socket = await person(t, chat, auth);
      assert.deepEqual(await socket.resyncs.take("resync"), [{ epoch: socket.epoch, first: 1, last: 50 }]);
      await expectOffsets(socket, 41, 50);
      await say(socket, "live", "a-0");
      await expectOffsets(socket, 51, 51);
      assert.deepEqual(socket.order.slice(0, 2), ["epoch", "resync"]);
      assert.equal(socket.resyncs.waiting, 0);
    });
  }

  test("a database that was replaced by an empty one is another epoch: resync, then what there is", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 5);
    const before = await person(t, chat, { serverOffset: 0 });
    const other = await Chat.start(t);
    const socket = await person(t, other, { epoch: before.epoch, serverOffset: 5 });
    assert.notEqual(socket.epoch, before.epoch);
    const [{ epoch, last }] = await socket.resyncs.take("resync");
    assert.equal(epoch, socket.epoch);
    assert.equal(last, 0);
    await say(socket, "first here", "a-0");
    await expectOffsets(socket, 1, 1);
  });

  test("history pages back to the beginning, each page ascending and without gap", async (t) => {
    const chat = await Chat.start(t, { args: ["--history", "10"] });
    await fill(t, chat, 250);
    const socket = await person(t, chat);
    let before = (await socket.messages.take())[1];
    assert.equal(before, 241);
    while (before > 1) {
      const [{ messages, first, ...rest }] = await call(socket, "history", before, 100);
      assert.deepEqual(rest, {});
      assert.equal(first, 1);
      const expected = Math.max(1, before - 100);
      assert.deepEqual(messages.map(([, offset]) => offset), Array.from({ length: before - expected }, (_, i) => expected + i));
      for (const [content, offset, details] of messages) {
        assert.equal(content, `message ${offset}`);
        assert.deepEqual(Object.keys(details).sort(), ["at", "author", "clientOffset"]);
      }
      before = messages[0][1];
    }
    assert.deepEqual(await call(socket, "history", 1, 100), [{ messages: [], first: 1 }]);
  });

  test("a page of history is the same as what was delivered live", async (t) => {
    const chat = await Chat.start(t);
    const socket = await person(t, chat);
    for (let i = 0; i < 5; i += 1) await say(socket, `é ${i}`, `a-${i}`);
    const live = [];
    for (let i = 0; i < 5; i += 1) live.push(await socket.messages.take());
    const [{ messages }] = await call(socket, "history", 6, 5);
    assert.deepEqual(messages, live);
  });

  test("history is bounded, whatever is asked", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 600);
    const socket = await person(t, chat);
    for (const limit of [1000, 1e15, Number.MAX_SAFE_INTEGER]) {
      const [{ messages }] = await call(socket, "history", 601, limit);
      assert.ok(messages.length >= 100 && messages.length <= 500, `${messages.length} messages`);
      assert.equal(messages.at(-1)[1], 600);
    }
    const [{ messages }] = await call(socket, "history", Number.MAX_SAFE_INTEGER, 3);
    assert.deepEqual(messages.map(([, offset]) => offset), [598, 599, 600]);
    assert.deepEqual((await call(socket, "history", 601, 0))[0].messages, []);
    assert.deepEqual((await call(socket, "history", 0, 10))[0].messages, []);
  });

  test("history of any shape is an answer or nothing, never a crash", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 3);
    const socket = await person(t, chat);
    for (const args of [[], [null], ["4", "10"], [-1, 10], [4, -10], [1.5, 2], [{}, []], [4], [true, false], [1e300, 1e300], [Buffer.from("x"), 1]]) {
      socket.emit("history", ...args);
      socket.emit("history", ...args, () => {});
    }
    const [{ messages }] = await call(socket, "history", 4, 10);
    assert.equal(messages.length, 3);
  });
});

async function expectOffsets(socket, from, to) {
  for (let offset = from; offset <= to; offset += 1) {
    assert.equal((await socket.messages.take(`message ${offset}`))[1], offset);
  }
}
