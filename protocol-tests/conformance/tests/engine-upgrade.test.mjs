// Engine.IO's upgrade from polling to WebSocket, step by step: how it succeeds, how it fails, and what it never loses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { frame, opcodes, RawWebSocket } from "../lib/frames.mjs";
import { group, timed } from "../lib/groups.mjs";
import { ENGINE, observe, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { assertPassed, pause, settle, within } from "../lib/wait.mjs";

function dial(session) {
  return WebSocketSession.dial(session.server, session.path, `&sid=${session.sid}`);
}

/** A WebSocket whose probe was answered. */
async function probe(session) {
  const socket = await dial(session);
  await socket.send("2probe");
  assert.equal(await socket.next(), "3probe");
  return socket;
}

async function upgrade(session) {
  const socket = await probe(session);
  await socket.send("5");
  return socket;
}

async function echoes(session, text = "still here") {
  await session.send(`4${text}`);
  let packet = await session.next();
  // Polls may still be released because of the upgrade that failed.
  while (packet === "6") packet = await session.next();
  assert.equal(packet, `4${text}`);
}

/** After an upgrade that failed, polling goes on, and the next upgrade succeeds. */
async function nothingIsLost(session) {
  await echoes(session);
  const socket = await upgrade(session);
  await echoes(socket, "upgraded after all");
  await socket.leave();
}

group("Upgrade", () => {
  test("probe, answer, upgrade packet: then messages go over the WebSocket, both ways [upgrade.probe]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await upgrade(session);
    await socket.send("4hello", Buffer.from([1, 2]));
    assert.equal(await socket.next(), "4hello");
    assert.deepEqual([...(await socket.next())], [1, 2]);
    await socket.leave();
  });

  test("a poll that is parked is released with a noop so that the upgrade can go on [upgrade.noop]", async () => {
    const session = await PollingSession.open(await server());
    const poll = await session.park();
    const socket = await probe(session);
    const response = await poll.response();
    assert.equal(`${response.status} ${response.body}`, "200 6");
    await socket.send("5");
    await echoes(socket);
    await socket.leave();
  });

  test("a poll that comes after the probe is released with a noop as well [upgrade.noop]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    assert.equal((await session.poll()).body, "6");
    await socket.send("5");
    await echoes(socket);
    await socket.leave();
  });

  test("until the upgrade packet, messages go over polling, both ways", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    await echoes(session, "between probe and upgrade");
    assert.equal(socket.inbox.waiting, 0);
    await socket.send("5");
    await echoes(socket);
    await socket.leave();
  });

  test("messages that wait when the upgrade happens come out of the WebSocket, once and in order [upgrade.buffered]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    await session.send("4!burst 500");
    await socket.send("5", "4after");
    for (let i = 0; i < 500; i += 1) assert.equal(await socket.next(), `4${i}`);
    assert.equal(await socket.next(), "4after");
    await socket.leave();
  });

  test("what was sent in the last POST is handled before what is sent over the WebSocket", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    await session.send("4first", "4second");
    await socket.send("5", "4third");
    for (const text of ["4first", "4second", "4third"]) assert.equal(await socket.next(), text);
    await socket.leave();
  });

  test("the probe may come in the segment of the upgrade request", async () => {
    const session = await PollingSession.open(await server());
    const path = `${ENGINE}?EIO=4&transport=websocket&sid=${session.sid}`;
    const raw = await RawWebSocket.open(session.server, path, { extra: frame({ payload: "2probe" }) });
    assert.equal(await raw.nextText(), "3probe");
  });

  test("a poll that is still parked when the upgrade packet comes is released", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    assert.equal((await session.poll()).body, "6");
    const poll = await session.park();
    await socket.send("5");
    assert.equal((await poll.response()).status, 200);
    await echoes(socket);
    await socket.leave();
  });

  test("a session that was upgraded has no polling any more: code 3, and it lives on [hs.mismatch]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await upgrade(session);
    await echoes(socket);
    const response = await session.poll();
    assert.equal(`${response.status} ${response.body}`, '400 {"code":3,"message":"Bad request"}');
    assert.equal((await session.post("4a")).status, 400);
    await echoes(socket);
    await socket.leave();
  });

  test("a session that was upgraded cannot be upgraded again [hs.once]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await upgrade(session);
    await echoes(socket);
    await refusedWebSocket(session);
    await echoes(socket);
    await socket.leave();
  });

  test("a session that began as a WebSocket is not disturbed by a probe", async () => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    Object.assign(session, { server: target, path: ENGINE });
    // The reference would change the session over from one WebSocket to another.
    await differs({ reference: () => probe(session), ours: () => refusedWebSocket(session) })();
    await echoes(session);
    await session.leave();
  });

  test("a second probe is refused while the first is pending, and the first goes on", async () => {
    const session = await PollingSession.open(await server());
    const first = await probe(session);
    await refusedWebSocket(session);
    await first.send("5");
    await echoes(first);
    await first.leave();
  });

  for (const packet of ["2", "2other", "3probe", "4hello", "6", "0", "1", "9", "", Buffer.from([1])]) {
    const shown = typeof packet === "string" ? `"${packet}"` : "bytes";
    test(`a probe that begins with ${shown} is dropped, and polling goes on [close.probe-failed]`, async (t) => {
      const session = await PollingSession.open(await server());
      const observer = await observe(t, session.server);
      const socket = await dial(session);
      await socket.send(packet);
      await within(socket.closed, "the probe to be closed");
      assert.equal((await observer.status(session.sid)).messages, 0);
      await nothingIsLost(session);
    });
  }

  for (const packet of ["4hello", "3", "9", Buffer.from([1])]) {
    const shown = typeof packet === "string" ? `"${packet}"` : "bytes";
    test(`an answered probe that goes on with ${shown} is dropped, and polling goes on [close.probe-failed]`, async (t) => {
      const session = await PollingSession.open(await server());
      const observer = await observe(t, session.server);
      const socket = await probe(session);
      await socket.send(packet);
      await within(socket.closed, "the probe to be closed");
      assert.equal((await observer.status(session.sid)).messages, 0);
      await nothingIsLost(session);
    });
  }

  test("a probe that is closed before it asked leaves polling as it is", async () => {
    const session = await PollingSession.open(await server());
    await (await dial(session)).leave();
    await nothingIsLost(session);
  });

  test("a probe that is closed after it was answered leaves polling as it is", async () => {
    const session = await PollingSession.open(await server());
    await (await probe(session)).leave();
    await nothingIsLost(session);
  });

  test("a probe that vanishes leaves polling as it is [close.probe-failed]", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    socket.vanish();
    await settle();
    await nothingIsLost(session);
  });

  test("a probe with a broken frame is closed, and polling goes on", async () => {
    const session = await PollingSession.open(await server());
    const raw = await RawWebSocket.open(session.server, `${ENGINE}?EIO=4&transport=websocket&sid=${session.sid}`);
    await raw.send({ payload: "2probe", rsv: 3 });
    assert.equal(await raw.closeCode(), 1002);
    await raw.wire.write(frame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xea]) }));
    await settle();
    await nothingIsLost(session);
  });

  test("messages over polling are not lost when a probe fails", async () => {
    const session = await PollingSession.open(await server());
    const socket = await probe(session);
    await session.send("4!burst 100");
    await socket.leave();
    for (let i = 0; i < 100; i += 1) {
      let packet = await session.next();
      while (packet === "6") packet = await session.next();
      assert.equal(packet, `4${i}`);
    }
  });

  timed("an upgrade that is not completed in upgradeTimeout is closed, and polling goes on [close.probe-late]", async () => {
    const session = await PollingSession.open(await server({ upgradeTimeout: 300 }));
    const start = performance.now();
    const socket = await probe(session);
    await within(socket.closed, "the probe to be closed");
    assertPassed(start, 300);
    await nothingIsLost(session);
  });

  timed("a probe that says nothing is closed after upgradeTimeout, and polling goes on [close.probe-late]", async () => {
    const session = await PollingSession.open(await server({ upgradeTimeout: 300 }));
    const start = performance.now();
    const socket = await dial(session);
    await within(socket.closed, "the probe to be closed");
    assertPassed(start, 300);
    await nothingIsLost(session);
  });

  timed("upgradeTimeout does not touch a session whose upgrade is complete [close.upgrade-timer]", async () => {
    const session = await PollingSession.open(await server({ upgradeTimeout: 300 }));
    const socket = await upgrade(session);
    await pause(400);
    await echoes(socket);
    await socket.leave();
  });

  test("a client that closes over polling during an upgrade ends session and probe, once [close.probe-with-session close.mid-upgrade]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const socket = await probe(session);
    await session.send("1");
    await within(socket.closed, "the probe to be closed");
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
  });

  test("a server that closes during an upgrade ends session and probe, once [close.probe-with-session]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const socket = await probe(session);
    await session.send("4!close");
    await session.ended();
    await within(socket.closed, "the probe to be closed");
    assert.deepEqual(await observer.reasons(session.sid), ["forced close"]);
  });

  timed("a session that dies of silence during an upgrade takes the probe with it, once [close.probe-with-session]", async (t) => {
    const session = await PollingSession.open(await server({ pingInterval: 300, pingTimeout: 200 }));
    const observer = await observe(t, session.server);
    const socket = await probe(session);
    assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
    await within(socket.closed, "the probe to be closed");
    assert.deepEqual((await observer.status(session.sid)).reasons, ["ping timeout"]);
  });

  test("a WebSocket closed after the upgrade ends the session with transport close, once", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const socket = await upgrade(session);
    await echoes(socket);
    await socket.leave();
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
  });

  test("a server without WebSocket refuses the probe with 400, and polling goes on", async () => {
    const session = await PollingSession.open(await server({ transports: ["polling"] }));
    const { response } = await RawWebSocket.open(session.server, `${ENGINE}?EIO=4&transport=websocket&sid=${session.sid}`);
    assert.equal(response.status, 400);
    await echoes(session);
  });

  test("an upgrade packet without a probe before it", async () => {
    const session = await PollingSession.open(await server());
    const socket = await dial(session);
    await socket.send("5");
    await differs({ reference: () => echoes(socket), ours: () => nothingIsLost(session) })();
  });
});

/** The server may refuse the request or close the WebSocket at once; both keep it from the session. */
async function refusedWebSocket(session) {
  const socket = await dial(session).catch(() => null);
  if (socket) await within(socket.closed, "the WebSocket to be closed");
}
