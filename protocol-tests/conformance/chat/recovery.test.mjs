// The chat with --recovery: a visitor who was cut off is the same socket again, whatever became of the process
// meanwhile. What is said arrives once in any case, since that is the cursor's business.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Chat, folder, newClientId, runToEnd, say, visit } from "../lib/chat.mjs";
import { group } from "../lib/groups.mjs";
import { event } from "../lib/wait.mjs";

/** A chat that keeps its sessions beside its database. */
async function recovering(t) {
  const path = await folder(t);
  return Chat.start(t, { database: join(path, "chat.db"), args: ["--recovery", join(path, "sessions.db")] });
}

/** A visitor that keeps its cursor, as pages do. */
async function reader(t, chat) {
  const socket = await visit(t, chat, { auth: { clientId: newClientId(), serverOffset: 0 } });
  socket.on("chat message", (_content, offset) => (socket.auth.serverOffset = offset));
  return socket;
}

async function back(socket) {
  if (socket.connected) await event(socket, "disconnect");
  for (let tries = 1; ; tries += 1) {
    const here = event(socket, "connect", 2000);
    socket.connect();
    try {
      return await here;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

async function contents(socket, count) {
  const got = [];
  while (got.length < count) got.push((await socket.messages.take(`message ${got.length + 1} of ${count}`))[0]);
  return got;
}

group("Chat", () => {
  for (const [what, end] of [
    ["kill -9", (chat) => chat.kill()],
    ["an orderly stop", (chat) => chat.stop()],
  ]) {
    test(`with --recovery a visitor is the same socket after ${what}, three times`, async (t) => {
      const chat = await recovering(t);
      const socket = await reader(t, chat);
      const { id, _pid: pid } = socket;
      assert.equal(typeof pid, "string");
      for (let round = 0; round < 3; round += 1) {
        await say(socket, `before ${round}`, `a-${round}`);
        assert.deepEqual(await contents(socket, 1), [`before ${round}`]);
        await end(chat);
        await chat.run();
        const other = await visit(t, chat, { auth: { clientId: newClientId(), history: 0 } });
        await say(other, `while away ${round}`, `b-${round}`);
        await back(socket);
        assert.equal(socket.recovered, true, `round ${round}`);
        assert.deepEqual([socket.id, socket._pid], [id, pid]);
        assert.deepEqual(await contents(socket, 1), [`while away ${round}`]);
      }
      await say(socket, "last", "a-last");
      assert.deepEqual(await contents(socket, 1), ["last"]);
      assert.equal(socket.messages.waiting, 0);
    });
  }

  test("without --recovery a visitor is a new socket", async (t) => {
    const chat = await Chat.start(t);
    const socket = await reader(t, chat);
    const { id } = socket;
    assert.equal(socket._pid, undefined);
    await chat.kill();
    await chat.run();
    await back(socket);
    assert.ok(!socket.recovered);
    assert.notEqual(socket.id, id);
  });

  test("with --recovery everybody reads everything once and in order, over three times kill -9", async (t) => {
    const chat = await recovering(t);
    const readers = await Promise.all(Array.from({ length: 3 }, () => reader(t, chat)));
    const writer = await reader(t, chat);
    let stored = 0;
    for (let round = 0; round < 3; round += 1) {
      const saying = Array.from({ length: 30 }, (_, i) => say(writer, `${round} ${i}`, `w-${round}-${i}`));
      // Some are answered, some are not.
      await saying[5];
      await chat.kill();
      await chat.run();
      await Promise.all([writer, ...readers].map(back));
      assert.ok(writer.recovered && readers.every((one) => one.recovered));
      for (let i = 0; i < 30; i += 1) {
        const [answer] = await say(writer, `${round} ${i}`, `w-${round}-${i}`);
        stored = Math.max(stored, answer.offset);
      }
    }
    assert.equal(stored, 90);
    for (const one of readers) {
      for (let offset = 1; offset <= stored; offset += 1) {
        const [, got] = await one.messages.take(`message ${offset}`);
        assert.equal(got, offset);
      }
      assert.equal(one.messages.waiting, 0);
    }
  });

  test("a file of sessions that is somebody else's, or in use, is refused and not touched", async (t) => {
    const chat = await recovering(t);
    const [, file] = chat.args;
    const path = await folder(t);
    const start = (database, recovery) => runToEnd(["--listen", "127.0.0.1:0", "--database", database, "--recovery", recovery]);
    const second = await start(join(path, "other.db"), file);
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /sessions\.db.*in use/);
    const precious = join(path, "diary.txt");
    await writeFile(precious, "Dear diary");
    const foreign = await start(join(path, "other.db"), precious);
    assert.notEqual(foreign.code, 0);
    assert.match(foreign.stderr, /diary\.txt/);
    assert.equal(await readFile(precious, "utf8"), "Dear diary");
    const same = await start(join(path, "other.db"), join(path, "other.db"));
    assert.notEqual(same.code, 0, "messages and sessions are kept apart");
    assert.match(same.stderr, /other\.db/);
    assert.deepEqual(await readdir(path), ["diary.txt"], "who is refused leaves no files");
  });

  test("sessions that were damaged are thrown away, and messages go on", async (t) => {
    const chat = await recovering(t);
    const socket = await reader(t, chat);
    await say(socket, "one", "a-1");
    assert.deepEqual(await contents(socket, 1), ["one"]);
    await chat.stop();
    const [, file] = chat.args;
    for (const [name, from] of [[file, 100], [`${file}-wal`, 0]]) {
      const damaged = await readFile(name).catch(() => null);
      if (damaged) await writeFile(name, damaged.fill(0xff, from));
    }
    await chat.run();
    await back(socket);
    assert.equal(socket.recovered, false);
    await say(socket, "two", "a-2");
    assert.deepEqual(await contents(socket, 1), ["two"]);
    assert.equal(socket.messages.waiting, 0);
  });
});
