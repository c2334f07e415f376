// What the chat forgets, its clients are told of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Chat, fill, newClientId, offsets, say, visit } from "../lib/chat.mjs";
import { call } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { pause } from "../lib/wait.mjs";

const keepFive = { args: ["--keep-messages", "5"] };

/** Who has everything up to an offset, and comes again until that is before what is kept. */
async function overtaken(t, chat, serverOffset) {
  for (;;) {
    const socket = await visit(t, chat, { auth: { clientId: newClientId(), serverOffset } });
    await socket.epochs.take("the epoch");
    // Whichever comes first: what follows the cursor, or that it means nothing any more.
    while (socket.order.length < 2) await pause(5);
    if (socket.order[1] === "resync") return socket;
    socket.disconnect();
    await pause(50);
  }
}

group("Chat", () => {
  test("a cursor before what is kept is answered with a resync, and what is kept follows", async (t) => {
    const chat = await Chat.start(t, keepFive);
    await fill(t, chat, 20);
    const socket = await overtaken(t, chat, 14);
    const [{ first, last }] = await socket.resyncs.take("the resync");
    assert.deepEqual({ first, last }, { first: 16, last: 20 });
    await offsets(socket, 16, 20);
  });

  test("who has what was forgotten is told so: at each connection, and when asked", async (t) => {
    const chat = await Chat.start(t, keepFive);
    const clientId = newClientId();
    const open = await visit(t, chat, { auth: { clientId, history: 0 } });
    assert.deepEqual((await open.epochs.take("the epoch")).slice(1), [0, 1]);
    await fill(t, chat, 20);
    (await overtaken(t, chat, 14)).disconnect();
    // Here for the whole time.
    assert.deepEqual(await call(open, "history", 0, 0), [{ messages: [], first: 16 }]);
    // Back with a cursor that still fits, hence without a resync.
    const back = await visit(t, chat, { auth: { clientId, serverOffset: 18 } });
    assert.deepEqual((await back.epochs.take("the epoch")).slice(1), [20, 16]);
    await offsets(back, 19, 20);
    assert.equal(back.resyncs.waiting, 0);
  });

  test("what is kept is still a repeat, and a new message has the next offset", async (t) => {
    const chat = await Chat.start(t, keepFive);
    const socket = await visit(t, chat, { auth: { clientId: newClientId(), history: 0 } });
    for (let n = 1; n <= 20; n += 1) await say(socket, `message ${n}`, `key-${n}`);
    (await overtaken(t, chat, 0)).disconnect();
    const [kept] = await say(socket, "message 20", "key-20");
    assert.deepEqual([kept.offset, kept.duplicate], [20, true]);
    const [next] = await say(socket, "message 21", "key-21");
    assert.deepEqual([next.offset, next.duplicate], [21, false]);
  });
});
