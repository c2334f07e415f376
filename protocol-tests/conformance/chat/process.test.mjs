// The chat as a process: it survives kill -9, stops in order, and leaves alone what is not its own.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Chat, fill, folder, newClientId, runToEnd, say, visit, visitor } from "../lib/chat.mjs";
import { group } from "../lib/groups.mjs";
import { event, pause, within } from "../lib/wait.mjs";
import { PollingSession, SOCKET } from "../lib/sessions.mjs";
import { request, Wire } from "../lib/wire.mjs";

/** Every file below a folder, and what is in it. */
async function contents(path) {
  const all = {};
  for (const name of (await readdir(path)).sort()) {
    all[name] = createHash("sha256").update(await readFile(join(path, name))).digest("hex");
  }
  return all;
}

/** Everything that is stored: what a reader from the beginning gets, checked for gaps. */
async function everything(t, chat) {
  const reader = await visit(t, chat, { auth: { clientId: newClientId(), serverOffset: 0 } });
  const [, last] = await reader.epochs.take("the epoch");
  const rows = [];
  for (let offset = 1; offset <= last; offset += 1) {
    const [content, got, details] = await reader.messages.take(`message ${offset} of ${last}`);
    assert.equal(got, offset);
    rows.push({ content, key: details.clientOffset, author: details.author });
  }
  reader.disconnect();
  return rows;
}

/** Ends with a failure: not zero, one sentence that says where, no panic, and nothing in the folder is touched. */
async function refuses(database, beside, where = basename(database)) {
  const before = await contents(beside);
  const { code, signal, stdout, stderr } = await runToEnd(["--listen", "127.0.0.1:0", "--database", database]);
  assert.equal(signal, null);
  assert.notEqual(code, 0);
  assert.doesNotMatch(stderr, /panicked|RUST_BACKTRACE/);
  const sentences = `${stdout}${stderr}`.trim().split("\n");
  assert.ok(sentences.at(-1).includes(where), sentences.at(-1));
  assert.deepEqual(await contents(beside), before);
}

group("Chat", () => {
  test("kill -9 under load, three times: what was acknowledged is stored, and nothing is stored twice", async (t) => {
    const chat = await Chat.start(t);
    const writers = Array.from({ length: 5 }, (_, i) => writer(t, chat, i));
    const readers = Array.from({ length: 2 }, () => follower(t, chat));
    for (let round = 0; round < 3; round += 1) {
      await pause(400);
      await chat.kill();
      await chat.run();
    }
    await pause(400);
    for (const one of writers) one.stop();
    for (const one of writers) await one.settled();

    const rows = await everything(t, chat);
    assert.ok(rows.length > 100, `only ${rows.length} messages were stored`);
    const stored = new Set(rows.map(({ key }) => key));
    assert.equal(stored.size, rows.length, "a message was stored twice");
    for (const { acknowledged, attempted, name } of writers) {
      assert.ok(acknowledged.size > 0);
    for (const key of acknowledged) assert.ok(stored.has(key), `${key} was acknowledged and is not stored`);
      const own = rows.map(({ key }) => key).filter((key) => key.startsWith(`${name}-`));
      for (const key of own) assert.ok(attempted.has(key), `${key} was never sent`);
      const sorted = [...own].sort((a, b) => Number(a.split("-").at(-1)) - Number(b.split("-").at(-1)));
      assert.deepEqual(own, sorted, `the messages of ${name} are out of order`);
    }
    for (const one of readers) assert.deepEqual(await one.until(rows.length), rows.map(({ key }) => key));
  });

  test("a second process on the same database is refused, and the first goes on", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { clientId: newClientId() } });
    await say(socket, "before", "a-0");
    const { code, stderr, stdout } = await runToEnd(["--listen", "127.0.0.1:0", "--database", chat.database]);
    assert.notEqual(code, 0);
    assert.notEqual(code, null);
    assert.match(`${stdout}${stderr}`, /chat\.db/);
    assert.equal((await say(socket, "after", "a-1"))[0].offset, 2);
  });

  test("a second process on a taken port is refused and makes no database", async (t) => {
    const chat = await Chat.start(t);
    const path = await folder(t);
    const files = ["--database", join(path, "other.db"), "--recovery", join(path, "sessions.db")];
    const { code } = await runToEnd(["--listen", `127.0.0.1:${chat.port}`, ...files]);
    assert.notEqual(code, 0);
    assert.deepEqual(await readdir(path), []);
  });

  const foreign = {
    "a text file": Buffer.from("Dear diary, this is no database.\n".repeat(100)),
    "random bytes": Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * 7919) % 256)),
    "somebody else's SQLite database": emptySqlite({ applicationId: 0x0badcafe, userVersion: 7 }),
    "an SQLite database that says not whose it is, of some version": emptySqlite({ applicationId: 0, userVersion: 3 }),
  };
  for (const [what, bytes] of Object.entries(foreign)) {
    test(`${what} is refused and not touched`, async (t) => {
      const path = await folder(t);
      const database = join(path, "precious.db");
      await writeFile(database, bytes);
      await refuses(database, path);
    });
  }

  test("a folder in the place of the database is refused", async (t) => {
    const path = await folder(t);
    await mkdir(join(path, "inner.db"));
    const { code, stderr } = await runToEnd(["--listen", "127.0.0.1:0", "--database", join(path, "inner.db")]);
    assert.notEqual(code, 0);
    assert.doesNotMatch(stderr, /panicked/);
    assert.deepEqual(await readdir(join(path, "inner.db")), []);
  });

  test("a database that cannot be made is refused", async (t) => {
    const path = await folder(t);
    await refuses(join(path, "no such folder", "chat.db"), path, "no such folder");
  });

  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`${signal} stops the chat in order: clients are told, what was acknowledged is stored, exit code 0`, async (t) => {
      const chat = await Chat.start(t);
      const clients = [];
      for (const way of ["polling", "websocket", "upgrade"]) {
        const socket = await visit(t, chat, { way, auth: { clientId: newClientId() } });
        socket.gone = event(socket, "disconnect");
        clients.push(socket);
      }
      const answers = clients.map((socket, i) => say(socket, `last words ${i}`, "a-0"));
      for (const [answer] of await Promise.all(answers)) assert.equal(answer.error, undefined);
      assert.deepEqual(await chat.stop(signal), { code: 0, signal: null });
      for (const socket of clients) assert.match((await socket.gone)[0], /^(io server disconnect|transport close|transport error)$/);
      await chat.run();
      assert.equal((await everything(t, chat)).length, 3);
    });
  }

  test("what was acknowledged when the chat is stopped with messages in flight is stored", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { clientId: newClientId() } });
    const acknowledged = new Set();
    for (let i = 0; i < 500; i += 1) {
      socket.emit("chat message", `message ${i}`, `a-${i}`, (answer) => answer.error === undefined && acknowledged.add(`a-${i}`));
    }
    await socket.messages.take();
    assert.deepEqual(await chat.stop(), { code: 0, signal: null });
    await chat.run();
    const stored = new Set((await everything(t, chat)).map(({ key }) => key));
    for (const key of acknowledged) assert.ok(stored.has(key), `${key} was acknowledged and is not stored`);
  });

  test("a second signal stops the chat at once", async (t) => {
    const chat = await Chat.start(t);
    // Somebody who does not take what waits for it, so that the orderly stop would wait.
    const session = await PollingSession.open({ port: chat.port }, SOCKET);
    await session.send("40");
    const half = await Wire.open(chat.port);
    await half.write(request("POST", session.url, { headers: { "content-length": 10 } }));
    chat.signal("SIGTERM");
    await chat.says("stopping");
    assert.equal(chat.child.exitCode, null);
    // It counts when it is not one with the first.
    for (let tries = 0; tries < 50 && chat.child.exitCode === null; tries += 1) {
      chat.signal("SIGTERM");
      await pause(20);
    }
    // 128 and the number of the signal, as a shell counts it.
    assert.deepEqual(await within(chat.ended, "the chat to end", 2000), { code: 143, signal: null });
    half.destroy();
  });

  test("two signals that come together, as from timeout(1), stop the chat in order", async (t) => {
    const chat = await Chat.start(t);
    const socket = await visit(t, chat, { auth: { clientId: newClientId() } });
    const gone = event(socket, "disconnect");
    chat.signal("SIGTERM");
    assert.deepEqual(await chat.stop("SIGINT"), { code: 0, signal: null });
    await gone;
    assert.doesNotMatch(chat.log, /at once/);
  });

  test("the chat says how it is, and serves its page", async (t) => {
    const chat = await Chat.start(t);
    assert.equal((await fetch(`${chat.url}/healthz`)).status, 200);
    const page = await fetch(chat.url);
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-type"), /^text\/html/);
    assert.equal((await fetch(`${chat.url}/no/such/page`)).status, 404);
    const script = await fetch(`${chat.url}/socket.io/socket.io.min.js`);
    assert.match(await script.text(), /^\/\*!\s+\* Socket\.IO/);
  });

  test("--help names every option, and an unknown one is refused", async () => {
    const { code, stdout } = await runToEnd(["--help"]);
    assert.equal(code, 0);
    for (const option of ["--listen", "--database", "--history", "--log", "CHAT_LISTEN", "CHAT_DATABASE"]) {
      assert.ok(stdout.includes(option), option);
    }
    assert.notEqual((await runToEnd(["--no-such-option"])).code, 0);
  });

  test("the options may come from the environment", async (t) => {
    const path = await folder(t);
    const database = join(path, "from environment.db");
    const { code, stdout, stderr } = await runToEnd([], {
      cwd: path,
      env: { ...process.env, CHAT_LISTEN: "not an address", CHAT_DATABASE: database },
    });
    assert.notEqual(code, 0);
    assert.match(`${stdout}${stderr}`, /not an address/);
  });

  test("what people write is not in the log", async (t) => {
    const chat = await Chat.start(t);
    const clientId = newClientId();
    const socket = await visit(t, chat, { auth: { clientId, serverOffset: 0 } });
    await say(socket, "a secret word: xyzzy", "key-xyzzy");
    await say(socket, { not: "xyzzy" }, 5);
    await say(socket, "xyzzy again", "key-xyzzy");
    await chat.stop();
    assert.doesNotMatch(chat.log, /xyzzy/);
    assert.ok(!chat.log.includes(clientId));
  });

  test("a disk that is full is answered with unavailable, to be tried again; reading goes on, and nothing acknowledged is lost", async (t) => {
    // A limit on the size of files is, for one process, what a full disk is for all.
    const launcher = ["bash", "-c", `trap "" XFSZ; ulimit -f 512; exec "$@"`, "bash"];
    const chat = await Chat.start(t, { launcher });
    const clientId = newClientId();
    const socket = await visit(t, chat, { auth: { clientId } });
    const content = "x".repeat(8000);
    const stored = [];
    let answer;
    for (let i = 0; i < 500; i += 1) {
      [answer] = await say(socket, content, `a-${i}`);
      if (answer.error) break;
      stored.push(`a-${i}`);
    }
    assert.equal(answer.error, "unavailable");
    assert.equal(typeof answer.message, "string");
    assert.ok(stored.length > 5);
    assert.deepEqual((await everything(t, chat)).map(({ key }) => key), stored);
    await chat.stop();
    chat.launcher = [];
    await chat.run();
    const again = await visit(t, chat, { auth: { clientId } });
    assert.equal((await say(again, content, `a-${stored.length}`))[0].offset, stored.length + 1);
    assert.deepEqual((await everything(t, chat)).map(({ key }) => key), [...stored, `a-${stored.length}`]);
  });

  test("auth of any shape is a connection or a refusal, never a crash", async (t) => {
    const chat = await Chat.start(t);
    const shapes = [null, true, 5, "text", [], [1], {}, { deep: { er: [{}] } }, "x".repeat(10_000), -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER];
    for (const shape of shapes) {
      for (const field of ["clientId", "serverOffset", "epoch", "history"]) {
        const socket = visitor(t, chat, { auth: { [field]: shape } });
        await within(new Promise((resolve) => socket.once("connect", resolve).once("connect_error", resolve)), "an answer");
        socket.disconnect();
      }
    }
    const raw = await PollingSession.open({ port: chat.port }, SOCKET);
    await raw.send('40{"clientId":"0123456789abcdef","serverOffset":00}').catch(() => {});
    const socket = await visit(t, chat, { auth: { clientId: newClientId() } });
    assert.equal((await say(socket, "still here", "a-0"))[0].offset, 1);
  });

  test("arguments of any shape, by hand and by the thousand, leave a chat that works and rows that were meant", async (t) => {
    const chat = await Chat.start(t);
    const texts = [
      '["chat message"]', '["chat message",null,null]', '["chat message",{},[]]', '["chat message","a",{"b":1}]', '["history"]',
      '["chat message","\\ud800","a-0"]', '["chat message","a","\\udfff"]', '["chat message",1e400,2]', '["no such event","a","b"]',
      '["chat message",{"_placeholder":true,"num":0},"a-1"]', '["resync",{}]', '["epoch","x",1]', '["","",""]', "[5]", '["error"]',
    ];
    for (const text of texts) {
      for (const id of ["", "0", "17"]) {
        const raw = await PollingSession.open({ port: chat.port }, SOCKET);
        await raw.send("40");
        await raw.send(`42${id}${text}`).catch(() => {});
        await raw.leave();
      }
    }
    const socket = await visit(t, chat, { auth: { clientId: newClientId() } });
    const random = randomValues(7);
    for (let i = 0; i < 2000; i += 1) socket.emit(i % 5 === 0 ? "history" : "chat message", ...random(), ...(i % 2 ? [() => {}] : []));
    await say(socket, "still here", "the end");
    const rows = await everything(t, chat);
    assert.equal(rows.filter(({ content }) => content === "still here").length, 1);
    for (const { content, key } of rows) {
      assert.equal(typeof content, "string");
      assert.ok(content.length > 0 && key.length > 0);
    }
  });
});

/** Somebody who writes with the official client's `retries` and keeps account. */
function writer(t, chat, number) {
  const name = `writer${number}`;
  const auth = { clientId: newClientId(), history: 0 };
  const socket = visitor(t, chat, { auth, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, retries: 20, ackTimeout: 3000 });
  const self = { name, acknowledged: new Set(), attempted: new Set(), pending: 0 };
  let counter = 0;
  const timer = setInterval(() => {
    if (self.pending > 20) return;
    const key = `${name}-${(counter += 1)}`;
    self.attempted.add(key);
    self.pending += 1;
    socket.emit("chat message", `content of ${key}`, key, (error, answer) => {
      self.pending -= 1;
      if (!error && answer.error === undefined) self.acknowledged.add(key);
    });
  }, 3);
  t.after(() => clearInterval(timer));
  self.stop = () => clearInterval(timer);
  self.settled = async () => {
    const start = performance.now();
    while (self.pending > 0) {
      if (performance.now() - start > 10_000) throw new Error(`${self.pending} messages of ${name} were never answered`);
      await pause(20);
    }
  };
  return self;
}

/** Somebody who reads from the beginning, keeps its place, and comes back to it after each crash. */
function follower(t, chat) {
  const socket = visitor(t, chat, {
    auth: { clientId: newClientId(), serverOffset: 0 },
    reconnection: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 50,
  });
  const keys = [];
  let wrong = null;
  socket.on("chat message", (_content, offset, { clientOffset }) => {
    if (offset !== keys.length + 1) wrong ??= `offset ${offset} came after ${keys.length}`;
    keys.push(clientOffset);
    socket.auth.serverOffset = offset;
  });
  return {
    async until(count) {
      const start = performance.now();
      while (keys.length < count && !wrong) {
        if (performance.now() - start > 10_000) throw new Error(`${keys.length} of ${count} messages came`);
        await pause(20);
      }
      assert.equal(wrong, null);
      return keys;
    },
  };
}

/** Lists of arguments that no page would send, the same ones in each run. */
function randomValues(seed) {
  let state = seed;
  const next = (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state % below;
  };
  const value = (depth) => {
    const kinds = [null, true, next(100) - 50, next(100) / 7, "", "x".repeat(next(50)), "é😀".repeat(next(5)), Buffer.alloc(next(10))];
    const kind = next(depth > 2 ? kinds.length : kinds.length + 2);
    if (kind < kinds.length) return kinds[kind];
    const items = Array.from({ length: next(4) }, () => value(depth + 1));
    return kind === kinds.length ? items : Object.fromEntries(items.map((item, i) => [`k${i}`, item]));
  };
  return () => Array.from({ length: next(5) }, () => value(0));
}

/** The smallest SQLite database: one page, no tables. */
function emptySqlite({ applicationId, userVersion }) {
  const page = Buffer.alloc(4096);
  page.write("SQLite format 3\0", 0, "latin1");
  page.writeUInt16BE(4096, 16);
  page.set([1, 1, 0, 64, 32, 32], 18);
  page.writeUInt32BE(1, 24);
  page.writeUInt32BE(1, 28);
  page.writeUInt32BE(4, 44);
  page.writeUInt32BE(1, 56);
  page.writeUInt32BE(userVersion, 60);
  page.writeUInt32BE(applicationId, 68);
  page.writeUInt32BE(1, 92);
  page.writeUInt32BE(3045000, 96);
  page[100] = 13;
  page.writeUInt16BE(4096, 105);
  return page;
}
