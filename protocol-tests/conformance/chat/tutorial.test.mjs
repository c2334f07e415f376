// The official tutorial's page, played as a script: it must work against the chat unchanged.

import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";
import { Chat, fill, say, visit } from "../lib/chat.mjs";
import { ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { Inbox, event, pause } from "../lib/wait.mjs";

/** What the tutorial's page does, and nothing else. */
class Page {
  #counter = 0;

  constructor(t, chat, options = {}) {
    this.shown = [];
    this.news = new Inbox();
    this.socket = io(chat.url, { auth: { serverOffset: 0 }, ackTimeout: 10000, retries: 3, forceNew: true, ...options });
    this.socket.on("chat message", (content, serverOffset) => {
      this.shown.push(content);
      this.news.put(content);
      this.socket.auth.serverOffset = serverOffset;
    });
    t.after(() => this.socket.disconnect());
  }

  submit(content) {
    const clientOffset = `${this.socket.id}-${this.#counter++}`;
    this.socket.emit("chat message", content, clientOffset);
  }

  async sees(content) {
    while ((await this.news.take(`"${content}"`)) !== content);
  }
}

group("Chat", () => {
  for (const [way, transports] of Object.entries(ways)) {
    test(`the tutorial's page over ${way}: what one submits, all see, once and in one order`, async (t) => {
      const chat = await Chat.start(t);
      const pages = [new Page(t, chat, { transports }), new Page(t, chat, { transports })];
      await Promise.all(pages.map((page) => event(page.socket, "connect")));
      for (let i = 0; i < 20; i += 1) pages[i % 2].submit(`message ${i}`);
      for (const page of pages) {
        while (page.shown.length < 20) await page.news.take();
        assert.equal(new Set(page.shown).size, 20);
      }
      assert.deepEqual(pages[0].shown, pages[1].shown);
    });
  }

  test("the tutorial's page gets what it has missed when it comes back, and nothing twice", async (t) => {
    const chat = await Chat.start(t);
    const [one, two] = [new Page(t, chat), new Page(t, chat)];
    await Promise.all([event(one.socket, "connect"), event(two.socket, "connect")]);
    one.submit("before");
    await two.sees("before");
    two.socket.disconnect();
    for (let i = 0; i < 10; i += 1) one.submit(`missed ${i}`);
    await one.sees("missed 9");
    two.socket.connect();
    await two.sees("missed 9");
    one.submit("after");
    await Promise.all([one.sees("after"), two.sees("after")]);
    assert.deepEqual(two.shown, one.shown);
    assert.equal(two.shown.length, 12);
  });

  test("the tutorial's page keeps what is submitted while the server is away, and sends it once", async (t) => {
    const chat = await Chat.start(t);
    const page = new Page(t, chat, { reconnectionDelay: 50, reconnectionDelayMax: 100 });
    await event(page.socket, "connect");
    page.submit("before");
    await page.sees("before");
    const gone = event(page.socket, "disconnect");
    await chat.kill();
    await gone;
    page.submit("while away 1");
    page.submit("while away 2");
    await chat.run();
    await page.sees("while away 2");
    const reader = await visit(t, chat, { auth: { serverOffset: 0 } });
    for (const [i, content] of ["before", "while away 1", "while away 2"].entries()) {
      assert.deepEqual((await reader.messages.take()).slice(0, 2), [content, i + 1]);
    }
    assert.deepEqual(page.shown, ["before", "while away 1", "while away 2"]);
  });

  test("a stored message is acknowledged with no arguments", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { serverOffset: 0 } });
    assert.deepEqual(await say(socket, "hello", `${socket.id}-0`), []);
  });

  test("a message that was stored already is acknowledged again and stored once, also from the next connection", async (t) => {
    const chat = await Chat.start(t);
    const first = await visit(t, chat, { auth: { serverOffset: 0 } });
    const key = `${first.id}-0`;
    assert.deepEqual(await say(first, "hello", key), []);
    assert.deepEqual(await say(first, "hello", key), []);
    first.disconnect();
    const second = await visit(t, chat, { auth: { serverOffset: 0 } });
    assert.deepEqual(await say(second, "hello", key), []);
    assert.deepEqual(await say(second, "other", `${second.id}-0`), []);
    const got = [await second.messages.take(), await second.messages.take()];
    assert.deepEqual(got.map(([content, offset]) => [content, offset]), [["hello", 1], ["other", 2]]);
    assert.equal(second.messages.waiting, 0);
  });

  test("another message under the key of a stored one is not acknowledged and not stored", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { serverOffset: 0 } });
    assert.deepEqual(await say(socket, "hello", "key-0"), []);
    let acknowledged = false;
    socket.emit("chat message", "something else", "key-0", () => (acknowledged = true));
    assert.deepEqual(await say(socket, "next", "key-1"), []);
    assert.equal(acknowledged, false);
    assert.equal((await socket.messages.take())[0], "hello");
    assert.deepEqual((await socket.messages.take()).slice(0, 2), ["next", 2]);
  });

  test("keys that were made without an id never stand for somebody else's message", async (t) => {
    const chat = await Chat.start(t);
    const [one, two] = [await visit(t, chat), await visit(t, chat)];
    for (const key of ["undefined-0", "-0"]) {
      assert.deepEqual(await say(one, `one ${key}`, key), []);
      assert.deepEqual(await say(two, `two ${key}`, key), []);
    }
    const reader = await visit(t, chat, { auth: { serverOffset: 0 } });
    for (const content of ["one undefined-0", "two undefined-0", "one -0", "two -0"]) {
      assert.equal((await reader.messages.take())[0], content);
    }
  });

  test("a message carries its offset, and who said it when under which key", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { serverOffset: 0 } });
    const before = Date.now();
    await say(socket, "hello", "key-0");
    const [content, offset, details] = await socket.messages.take();
    assert.equal(content, "hello");
    assert.equal(offset, 1);
    assert.deepEqual(Object.keys(details).sort(), ["at", "author", "clientOffset"]);
    assert.equal(details.clientOffset, "key-0");
    assert.equal(typeof details.author, "string");
    assert.ok(details.at >= before - 1 && details.at <= Date.now() + 1, `at ${details.at}`);
  });

  test("a serverOffset is answered with all that came after it, in order, then live", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 1000);
    for (const offset of [0, 1, 500, 999, 1000]) {
      const reader = await visit(t, chat, { auth: { serverOffset: offset } });
      for (let i = offset + 1; i <= 1000; i += 1) {
        assert.deepEqual((await reader.messages.take()).slice(0, 2), [`message ${i}`, i]);
      }
      reader.disconnect();
    }
  });

  test("replay and live are one stream while others write: readers that come and go miss and repeat nothing", async (t) => {
    const chat = await Chat.start(t);
    await fill(t, chat, 300);
    const WRITERS = 4;
    const EACH = 250;
    const LAST = 300 + WRITERS * EACH;

    const writing = Array.from({ length: WRITERS }, async (_, writer) => {
      const socket = await visit(t, chat, { auth: { serverOffset: LAST } });
      for (let i = 0; i < EACH; i += 1) assert.deepEqual(await say(socket, `writer ${writer} ${i}`, `${writer}-${i}`), []);
    });

    const reading = Array.from({ length: 6 }, async (_, reader) => {
      const contents = [];
      // Each comes back many times, from where it was, with its transport cut in the middle of what it is being sent.
      while (contents.length < LAST) {
        const way = Object.keys(ways)[(reader + contents.length) % 3];
        const socket = await visit(t, chat, { way, auth: { serverOffset: contents.length } });
        const turn = Math.min(LAST, contents.length + 40 + 30 * reader);
        while (contents.length < turn) {
          const [content, offset] = await socket.messages.take(`message ${contents.length + 1}`);
          assert.equal(offset, contents.length + 1);
          contents.push(content);
        }
        socket.io._close();
        await pause(reader);
      }
      return contents;
    });

    await Promise.all(writing);
    const [first, ...others] = await Promise.all(reading);
    for (const contents of others) assert.deepEqual(contents, first);
    for (let writer = 0; writer < WRITERS; writer += 1) {
      const own = first.filter((content) => content.startsWith(`writer ${writer} `));
      assert.deepEqual(own, Array.from({ length: EACH }, (_, i) => `writer ${writer} ${i}`));
    }
  });
});
