// How a server ends, with clients in every state, and how clients come back to one that was started again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, client, connected, upgraded, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { carriers, ENGINE, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { differs, ownServer } from "../lib/target.mjs";
import { event, settle, within } from "../lib/wait.mjs";

/** A session that was upgraded, and its WebSocket. */
async function upgrade(target, { probeOnly = false } = {}) {
  const session = await PollingSession.open(target);
  const probe = await WebSocketSession.dial(target, ENGINE, `&sid=${session.sid}`);
  await probe.send("2probe");
  assert.equal(await probe.next(), "3probe");
  if (!probeOnly) await probe.send("5");
  return { session, probe };
}

group("Heartbeat, close, disconnect reasons", () => {
  test("a server that is stopped, twice, ends every session at once, in whatever state [close.stop close.stop-twice]", async (t) => {
    const target = await ownServer(t);
    const parked = await PollingSession.open(target);
    const answer = parked.poll();
    const done = await upgrade(target);
    const pending = await upgrade(target, { probeOnly: true });
    const stopper = await WebSocketSession.open(target);
    await settle();
    await stopper.send("4!stop");
    assert.equal((await answer).body, "1");
    // Who is in the middle of an upgrade may still fetch what waits, by a poll that is released or told of the close.
    if (differs({ reference: false, ours: true })) assert.deepEqual((await pending.session.ended()).filter((one) => one !== "6"), []);
    for (const socket of [done.probe, pending.probe, stopper]) await socket.ended();
    const { stopped } = await target.line();
    const sids = [parked.sid, done.session.sid, pending.session.sid, stopper.sid];
    for (const sid of sids) assert.deepEqual(stopped[sid], ["forced close"]);
  });

  test("what waits for a client when the server is stopped [close.stop-queue]", async (t) => {
    const target = await ownServer(t);
    const slow = await PollingSession.open(target);
    await slow.send("4!burst 3");
    const stopper = await WebSocketSession.open(target);
    await stopper.send("4!stop");
    await stopper.ended();
    if (differs({ reference: true, ours: false })) assert.equal((await slow.poll()).status, 400);
    else assert.deepEqual(await slow.ended(), ["40", "41", "42"]);
    assert.deepEqual((await target.line()).stopped[slow.sid], ["forced close"]);
  });

  for (const Carrier of carriers) {
    test(`over ${Carrier.transport} a server that closes gives its sockets the reason server shutting down [close.shutting-down]`, async (t) => {
      const target = await ownServer(t);
      const one = await PacketClient.join(Carrier, target);
      const two = await one.connect("/other");
      await one.send('2["close server"]');
      assert.deepEqual(await one.ended(), []);
      const { closed } = await target.line();
      assert.deepEqual([closed[one.id], closed[two]], [["server shutting down"], ["server shutting down"]]);
    });
  }

  for (const way of Object.keys(ways)) {
    test(`the official client over ${way}: a server that closes is transport close to it [close.shutting-down]`, async (t) => {
      const target = await ownServer(t);
      const socket = await connected(t, target, { way });
      if (way === "upgrade") await upgraded(socket);
      const gone = event(socket, "disconnect");
      socket.emit("close server");
      assert.equal((await gone)[0], "transport close");
      assert.deepEqual((await target.line()).closed[socket.id ?? ""], undefined);
    });

    test(`the official client over ${way}: it comes back to a server that was killed and started again [close.restart]`, async (t) => {
      const first = await ownServer(t);
      const options = { way, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
      const socket = await connected(t, first, options);
      const { id } = socket;
      const gone = event(socket, "disconnect");
      await first.kill();
      await gone;
      const back = event(socket, "connect", 10_000);
      socket.emit("echo", "kept while away", (answer) => (socket.answered = answer));
      await ownServer(t, { port: first.port });
      await back;
      assert.notEqual(socket.id, id);
      assert.deepEqual(await call(socket, "echo", "again"), ["again"]);
      assert.equal(socket.answered, "kept while away");
    });

    test(`the official client over ${way}: it comes back to a server that was closed in order [close.restart]`, async (t) => {
      const first = await ownServer(t);
      const options = { way, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
      const socket = client(t, first, options);
      await event(socket, "connect");
      const gone = event(socket, "disconnect");
      socket.emit("close server");
      await gone;
      await within(first.gone, "the server to end");
      const back = event(socket, "connect", 10_000);
      await ownServer(t, { port: first.port });
      await back;
      assert.deepEqual(await call(socket, "echo", "again"), ["again"]);
    });
  }
});
