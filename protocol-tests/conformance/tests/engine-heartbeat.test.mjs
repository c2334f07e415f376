// Engine.IO's heartbeat, with small intervals and a clock: when a ping comes, and when silence ends a session.

import assert from "node:assert/strict";
import { group, timed } from "../lib/groups.mjs";
import { carriers, observe, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { server } from "../lib/target.mjs";
import { assertPassed, pause, settle } from "../lib/wait.mjs";
import { request, Wire } from "../lib/wire.mjs";

const INTERVAL = 300;
const TIMEOUT = 200;
const options = { pingInterval: INTERVAL, pingTimeout: TIMEOUT };

group("Heartbeat, close, disconnect reasons", () => {
  for (const Carrier of carriers) {
    timed(`over ${Carrier.transport} the first ping comes when pingInterval has passed since the handshake [close.no-ping-early]`, async () => {
      const target = await server(options);
      const start = performance.now();
      const session = await Carrier.open(target);
      assert.equal(await session.next(), "2");
      assertPassed(start, INTERVAL);
      await session.leave();
    });

    timed(`over ${Carrier.transport} a session that answers no ping is gone after pingInterval and pingTimeout [close.ping-timeout]`, async (t) => {
      const target = await server(options);
      const observer = await observe(t, target);
      const start = performance.now();
      const session = await Carrier.open(target);
      assert.equal(await session.next(), "2");
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(start, INTERVAL + TIMEOUT);
    });

    timed(`over ${Carrier.transport} a pong keeps the session, and the next ping comes pingInterval after it [close.no-ping-early]`, async () => {
      const session = await Carrier.open(await server(options));
      for (let i = 0; i < 3; i += 1) {
        assert.equal(await session.next(), "2");
        await pause(50);
        const answered = performance.now();
        await session.send("3");
        assert.equal(await session.next(), "2");
        assertPassed(answered, INTERVAL);
        await session.send("3");
      }
      await session.send("4still here");
      assert.equal(await session.next(), "4still here");
      await session.leave();
    });

    timed(`over ${Carrier.transport} a packet before the ping does not bring the end forward [close.post-late]`, async (t) => {
      const target = await server(options);
      const observer = await observe(t, target);
      const start = performance.now();
      const session = await Carrier.open(target);
      await pause(100);
      await session.send("4a");
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(start, INTERVAL + TIMEOUT);
    });

    timed(`over ${Carrier.transport} a packet while the pong is awaited gives it pingTimeout more, once [close.post-late]`, async (t) => {
      const target = await server(options);
      const observer = await observe(t, target);
      const session = await Carrier.open(target);
      assert.equal(await session.next(), "2");
      await pause(TIMEOUT / 2);
      const first = performance.now();
      await session.send("4a");
      await pause(TIMEOUT / 2);
      await session.send("4b");
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(first, TIMEOUT);
    });
  }

  timed("a polling session that never polls is gone after pingInterval and pingTimeout as well [close.ping-timeout]", async (t) => {
    const target = await server(options);
    const observer = await observe(t, target);
    const start = performance.now();
    const session = await PollingSession.open(target);
    assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
    assertPassed(start, INTERVAL + TIMEOUT);
  });

  timed("a poll that is parked when the pong is late is answered with a close packet [close.ping-timeout]", async () => {
    const session = await PollingSession.open(await server(options));
    assert.equal(await session.next(), "2");
    const response = await session.poll();
    assert.equal(`${response.status} ${response.body}`, "200 1");
  });

  timed("a WebSocket whose pong is late is closed [close.ping-timeout]", async () => {
    const session = await WebSocketSession.open(await server(options));
    assert.deepEqual(await session.ended(), ["2"]);
  });

  timed("a client that took its ping just before the deadline may still answer", async () => {
    const session = await PollingSession.open(await server(options));
    await pause(INTERVAL + TIMEOUT - 100);
    assert.equal(await session.next(), "2");
    await session.send("3");
    await pause(TIMEOUT);
    await session.send("4still here");
    assert.equal(await session.next(), "4still here");
    await session.send("1");
  });

  timed("after an upgrade the pings come over the WebSocket, and silence ends the session [close.ping-timeout]", async (t) => {
    const target = await server(options);
    const observer = await observe(t, target);
    const start = performance.now();
    const session = await PollingSession.open(target);
    const upgraded = await upgrade(session);
    assert.equal(await upgraded.next(), "2");
    assertPassed(start, INTERVAL);
    assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
    assertPassed(start, INTERVAL + TIMEOUT);
  });

  timed("a ping taken over polling may be answered over the WebSocket", async () => {
    const session = await PollingSession.open(await server(options));
    assert.equal(await session.next(), "2");
    const upgraded = await upgrade(session);
    await upgraded.send("3");
    assert.equal(await upgraded.next(), "2");
    await upgraded.send("3", "4still here");
    assert.equal(await upgraded.next(), "4still here");
    await upgraded.leave();
  });

  timed("pings get through among many messages [msg.ping-behind]", async () => {
    const session = await WebSocketSession.open(await server(options));
    await session.send("4!drip 700");
    let pings = 0;
    for (let expected = 0; expected < 700; ) {
      const packet = await session.next();
      if (packet === "2") {
        pings += 1;
        await session.send("3");
      } else {
        assert.equal(packet, `4${expected}`);
        expected += 1;
      }
    }
    assert.ok(pings >= 1, "no ping came");
    await session.leave();
  });

  timed("a poll that is cut after the ping was sent into it ends the session once [close.dead-poll]", async (t) => {
    const target = await server(options);
    const observer = await observe(t, target);
    const session = await PollingSession.open(target);
    const wire = await Wire.open(target.port);
    await wire.write(request("GET", session.url));
    assert.equal((await wire.response()).body, "2");
    await wire.write(request("GET", session.url));
    await settle();
    wire.destroy();
    await observer.reasons(session.sid);
    await pause(TIMEOUT);
    assert.deepEqual((await observer.status(session.sid)).reasons, ["transport error"]);
  });
});

async function upgrade(session) {
  const probe = await WebSocketSession.dial(session.server, session.path, `&sid=${session.sid}`);
  await probe.send("2probe");
  assert.equal(await probe.next(), "3probe");
  await probe.send("5");
  return probe;
}
