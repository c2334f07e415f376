// The official engine.io-client against Engine.IO alone, and the order of messages while it upgrades.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket } from "engine.io-client";
import { group, timed } from "../lib/groups.mjs";
import { observe } from "../lib/sessions.mjs";
import { server } from "../lib/target.mjs";
import { event, Inbox, within } from "../lib/wait.mjs";

const ways = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

function open(t, { url }, options) {
  const socket = new Socket(url, { path: "/engine.io/", ...options });
  socket.binaryType = "nodebuffer";
  socket.inbox = new Inbox();
  socket.on("message", (message) => socket.inbox.put(message));
  t.after(() => socket.close());
  return socket;
}

for (const [way, transports] of Object.entries(ways)) {
  group("Messages, ordering, flush", () => {
    test(`the official client over ${way}: text, multi-byte and binary come back as they were [msg.text msg.multi-byte msg.binary]`, async (t) => {
      const socket = open(t, await server(), { transports });
      await event(socket, "open");
      const view = new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 4);
      for (const message of ["text", "é€😀", Buffer.from([1, 2, 3]), view]) {
        socket.send(message);
        const answer = await socket.inbox.take();
        if (typeof message === "string") assert.equal(answer, message);
        else assert.deepEqual([...answer], [...message]);
      }
    });

    test(`the official client over ${way}: two thousand messages in one go come back in order [msg.order]`, async (t) => {
      const socket = open(t, await server(), { transports });
      const sent = Array.from({ length: 2000 }, (_, i) => (i % 10 === 9 ? Buffer.from(String(i)) : String(i)));
      for (const message of sent) socket.send(message);
      for (const message of sent) {
        const answer = await socket.inbox.take();
        assert.equal(typeof answer, typeof message);
        assert.equal(answer.toString(), message.toString());
      }
    });
  });

  group("Heartbeat, close, disconnect reasons", () => {
    timed(`the official client over ${way}: stays through many pings`, async (t) => {
      const target = await server({ pingInterval: 100, pingTimeout: 300 });
      const socket = open(t, target, { transports });
      let pings = 0;
      const tenth = new Promise((resolve) => socket.on("ping", () => (pings += 1) === 10 && resolve()));
      await within(tenth, "ten pings");
      assert.equal(socket.readyState, "open");
    });

    test(`the official client over ${way}: closing it is transport close at the server [close.by-client]`, async (t) => {
      const target = await server();
      const observer = await observe(t, target);
      const socket = open(t, target, { transports });
      await event(socket, way === "upgrade" ? "upgrade" : "open");
      const { id } = socket;
      socket.close();
      assert.deepEqual(await observer.reasons(id), ["transport close"]);
    });

    test(`the official client over ${way}: a close by the server reaches it, and is forced close there [close.by-server]`, async (t) => {
      const target = await server();
      const observer = await observe(t, target);
      const socket = open(t, target, { transports });
      await event(socket, way === "upgrade" ? "upgrade" : "open");
      const { id } = socket;
      const closed = event(socket, "close");
      socket.send("!close");
      assert.deepEqual((await closed)[0], "transport close");
      assert.deepEqual(await observer.reasons(id), ["forced close"]);
    });
  });
}

group("Upgrade", () => {
  test("the official client closes as soon as it is open, in the middle of its probe [close.mid-upgrade]", async (t) => {
    const target = await server();
    const observer = await observe(t, target);
    const socket = open(t, target, { transports: ways.upgrade });
    await event(socket, "open");
    const { id } = socket;
    socket.close();
    assert.deepEqual(await observer.reasons(id), ["transport close"]);
  });

  // Each session has echoed traffic from before its upgrade until after it, and unasked traffic from the server as well.
  const SESSIONS = 20;
  const MESSAGES = 1000;

  test(`${SESSIONS} upgrades under traffic both ways lose, repeat and reorder nothing [upgrade.traffic]`, async (t) => {
    const target = await server();
    await Promise.all(Array.from({ length: SESSIONS }, (_, i) => trafficAcrossUpgrade(t, target, i)));
  });

  async function trafficAcrossUpgrade(t, target, seed) {
    const socket = open(t, target, { transports: ways.upgrade });
    await event(socket, "open");
    let upgradedAt = null;
    let echoed = 0;
    let dripped = 0;
    socket.on("upgrade", () => (upgradedAt = echoed));

    const done = (async () => {
      while (echoed < MESSAGES || dripped < MESSAGES) {
        const message = (await socket.inbox.take()).toString();
        if (message.startsWith("e")) assert.equal(message, `e${echoed++}`);
        else assert.equal(message, String(dripped++));
      }
    })();

    socket.send(`!drip ${MESSAGES}`);
    for (let i = 0; i < MESSAGES; i += 1) {
      socket.send(i % 7 === seed % 7 ? Buffer.from(`e${i}`) : `e${i}`);
      if (i % (1 + (seed % 13)) === 0) await new Promise((resolve) => setImmediate(resolve));
      // Half of the traffic waits for the upgrade, so that every session has some on each side of it.
      if (i === MESSAGES / 2 && upgradedAt === null) await event(socket, "upgrade");
    }
    await done;
    assert.equal(socket.transport.name, "websocket");
    assert.equal(socket.inbox.waiting, 0);
  }
});
