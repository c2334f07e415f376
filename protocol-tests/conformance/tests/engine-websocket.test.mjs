// Engine.IO over WebSocket: messages, frames in any pieces, frames that are wrong, and how a session ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { closeFrame, frame, opcodes, RawWebSocket } from "../lib/frames.mjs";
import { group } from "../lib/groups.mjs";
import { ENGINE, observe, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";

const URL = `${ENGINE}?EIO=4&transport=websocket`;

/** A session on a hand-made WebSocket. */
async function rawSession(target) {
  const raw = await RawWebSocket.open(target, URL);
  raw.sid = JSON.parse((await raw.nextText()).slice(1)).sid;
  return raw;
}

async function echoes(raw, text = "still here") {
  await raw.send(`4${text}`);
  assert.equal(await raw.nextText(), `4${text}`);
}

group("Messages, ordering, flush", () => {
  test("text and binary come back as text and binary [msg.text msg.binary]", async () => {
    const session = await WebSocketSession.open(await server());
    await session.send("4hello", Buffer.from([1, 2, 3]), "4aé€😀");
    assert.equal(await session.next(), "4hello");
    assert.deepEqual([...(await session.next())], [1, 2, 3]);
    assert.equal(await session.next(), "4aé€😀");
    await session.leave();
  });

  test("a binary message goes on the wire as a binary frame of just its bytes", async () => {
    const raw = await rawSession(await server());
    await raw.send({ opcode: opcodes.binary, payload: Buffer.from([4, 5, 6]) });
    const received = await raw.next();
    assert.equal(received.opcode, opcodes.binary);
    assert.deepEqual([...received.payload], [4, 5, 6]);
  });

  test("empty messages are messages", async () => {
    const session = await WebSocketSession.open(await server());
    await session.send("4", Buffer.alloc(0), "4after");
    assert.equal(await session.next(), "4");
    assert.equal((await session.next()).length, 0);
    assert.equal(await session.next(), "4after");
    await session.leave();
  });

  test("ten thousand messages come back in order [msg.order]", async () => {
    const session = await WebSocketSession.open(await server());
    for (let i = 0; i < 10_000; i += 1) session.send(`4${i}`);
    for (let i = 0; i < 10_000; i += 1) assert.equal(await session.next(), `4${i}`);
    await session.leave();
  });

  test("frames of the server are whole, unmasked and without reserved bits", async () => {
    const raw = await rawSession(await server());
    await raw.send("4hello");
    const { fin, rsv, masked, opcode } = await raw.next();
    assert.deepEqual({ fin, rsv, masked, opcode }, { fin: true, rsv: 0, masked: false, opcode: opcodes.text });
  });

  for (const length of [124, 125, 126, 65_534, 65_535, 65_536]) {
    test(`a message of ${length} bytes is framed as it must be`, async () => {
      const raw = await rawSession(await server());
      await echoes(raw, "x".repeat(length - 1));
    });
  }

  test("a frame written byte by byte is put together", async () => {
    const raw = await rawSession(await server());
    await raw.wire.writePieces(Array.from(frame({ payload: "4é€😀" }), (byte) => Buffer.from([byte])));
    assert.equal(await raw.nextText(), "4é€😀");
  });

  test("many frames in one segment are all handled, in order", async () => {
    const raw = await rawSession(await server());
    await raw.wire.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame({ payload: `4${i}` }))));
    for (let i = 0; i < 100; i += 1) assert.equal(await raw.nextText(), `4${i}`);
  });

  test("a message in fragments is put together, with a ping between them answered", async () => {
    const raw = await rawSession(await server());
    await raw.send({ payload: "4he", fin: false });
    await raw.send({ opcode: opcodes.ping, payload: "are you there" });
    await raw.send({ opcode: opcodes.continuation, payload: "", fin: false });
    await raw.send({ opcode: opcodes.continuation, payload: "llo" });
    const pong = await raw.next();
    assert.equal(pong.opcode, opcodes.pong);
    assert.equal(pong.payload.toString(), "are you there");
    assert.equal(await raw.nextText(), "4hello");
  });

  test("a character may be cut by the border of two fragments", async () => {
    const raw = await rawSession(await server());
    const bytes = Buffer.from("4😀");
    await raw.send({ payload: bytes.subarray(0, 3), fin: false });
    await raw.send({ opcode: opcodes.continuation, payload: bytes.subarray(3) });
    assert.equal(await raw.nextText(), "4😀");
  });

  test("frames in the segment of the upgrade request are not lost", async () => {
    const extra = Buffer.concat([frame({ payload: "4early" }), frame({ payload: "4birds" })]);
    const raw = await RawWebSocket.open(await server(), URL, { extra });
    assert.match(await raw.nextText(), /^0/);
    await raw.send("4later");
    // The reference has nobody listening yet when they come.
    for (const text of differs({ reference: ["4later"], ours: ["4early", "4birds", "4later"] })) {
      assert.equal(await raw.nextText(), text);
    }
  });

  test("a message of exactly maxPayload bytes is accepted [msg.limit]", async () => {
    const raw = await rawSession(await server({ maxPayload: 100 }));
    await echoes(raw, "x".repeat(99));
    await raw.send({ opcode: opcodes.binary, payload: Buffer.alloc(100) });
    assert.equal((await raw.next()).payload.length, 100);
  });

  for (const [what, opcode] of [["text", opcodes.text], ["binary", opcodes.binary]]) {
    test(`a ${what} message of one byte more closes with 1009, and nothing of it is delivered [msg.over msg.over-websocket]`, async (t) => {
      const target = await server({ maxPayload: 100 });
      const raw = await rawSession(target);
      const observer = await observe(t, target);
      await raw.send({ opcode, payload: Buffer.alloc(101, "4") });
      assert.equal(await raw.closeCode(), 1009);
      assert.deepEqual(await observer.reasons(raw.sid), ["transport error"]);
      assert.equal((await observer.status(raw.sid)).messages, 0);
    });
  }

  test("fragments that together are too long close with 1009", async (t) => {
    const target = await server({ maxPayload: 100 });
    const raw = await rawSession(target);
    const observer = await observe(t, target);
    await raw.send({ payload: "4".repeat(60), fin: false });
    await raw.send({ opcode: opcodes.continuation, payload: "x".repeat(60) });
    assert.equal(await raw.closeCode(), 1009);
    assert.deepEqual(await observer.reasons(raw.sid), ["transport error"]);
  });

  test("a message of a megabyte comes back whole", async () => {
    const session = await WebSocketSession.open(await server());
    const text = `4${"é".repeat(499_999)}`;
    await session.send(text);
    assert.equal(await session.next(), text);
    await session.leave();
  });

  test("packets that mean nothing here are ignored", async () => {
    const session = await WebSocketSession.open(await server());
    await session.send("0", '0{"sid":"x"}', "3", "3probe", "5", "6", "4still here");
    assert.equal(await session.next(), "4still here");
    await session.leave();
  });
});

group("Heartbeat, close, disconnect reasons", () => {
  test("a client that closes its WebSocket ends the session with transport close [close.by-client]", async (t) => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    const observer = await observe(t, target);
    await session.leave();
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
  });

  test("a client that vanishes ends the session with transport close", async (t) => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    const observer = await observe(t, target);
    session.vanish();
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
  });

  test("a client that resets the connection ends the session with transport close", async (t) => {
    const target = await server();
    const raw = await rawSession(target);
    const observer = await observe(t, target);
    raw.wire.reset();
    assert.deepEqual(await observer.reasons(raw.sid), ["transport close"]);
  });

  test("a client that ends its half of the connection ends the session with transport close", async (t) => {
    const target = await server();
    const raw = await rawSession(target);
    const observer = await observe(t, target);
    raw.wire.finish();
    assert.deepEqual(await observer.reasons(raw.sid), ["transport close"]);
  });

  test("a close frame is answered with its code", async () => {
    const raw = await rawSession(await server());
    await raw.wire.write(closeFrame(1001, "bye"));
    assert.equal(await raw.closeCode(), 1001);
    await raw.wire.end();
  });

  test("a close by the server closes the WebSocket after what was queued, with the reason forced close [close.flush close.by-server]", async (t) => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    const observer = await observe(t, target);
    await session.send("4!burst 100", "4!close");
    const { code } = await session.closed;
    assert.ok([1000, 1005].includes(code), `closed with ${code}`);
    assert.deepEqual(await session.ended(), Array.from({ length: 100 }, (_, i) => `4${i}`));
    assert.deepEqual(await observer.reasons(session.sid), ["forced close"]);
  });

  for (const [what, packet] of [["an unknown type digit", "9"], ["no type digit", "hello"], ["an empty text", ""]]) {
    test(`${what} ends the session with parse error [close.parse-error]`, async (t) => {
      const target = await server();
      const session = await WebSocketSession.open(target);
      const observer = await observe(t, target);
      await session.send(packet);
      assert.deepEqual(await observer.reasons(session.sid), ["parse error"]);
      await session.closed;
    });
  }

  test("a ping from the client goes the wrong way and ends the session with transport error", async (t) => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    const observer = await observe(t, target);
    await session.send("2");
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
    await session.closed;
  });

  const wrong = [
    ["an unmasked frame", frame({ payload: "4a", masked: false }), 1002],
    ["a frame with reserved bits", frame({ payload: "4a", rsv: 2 }), 1002],
    ["a compressed frame that was not negotiated", frame({ payload: "4a", rsv: 4 }), 1002],
    ["a reserved data opcode", frame({ opcode: 3, payload: "4a" }), 1002],
    ["a reserved control opcode", frame({ opcode: 11 }), 1002],
    ["a continuation of nothing", frame({ opcode: opcodes.continuation, payload: "4a" }), 1002],
    ["a ping in fragments", frame({ opcode: opcodes.ping, fin: false }), 1002],
    ["a ping of 126 bytes", frame({ opcode: opcodes.ping, payload: Buffer.alloc(126) }), 1002],
    ["a message within a message", Buffer.concat([frame({ payload: "4a", fin: false }), frame({ payload: "4b" })]), 1002],
    ["a close frame of one byte", frame({ opcode: opcodes.close, payload: "x" }), 1002],
    ["a close frame with a code nobody may send", closeFrame(1005), 1002],
    ["text that is not UTF-8", frame({ payload: Buffer.from([0x34, 0xff, 0xfe]) }), 1007],
    ["half a surrogate pair in UTF-8", frame({ payload: Buffer.from([0x34, 0xed, 0xa0, 0x80]) }), 1007],
    ["a frame that announces 2 GiB", frame({ payload: "4a", declared: 2 ** 31 }), 1009],
    ["a frame that announces 2^62 bytes", frame({ payload: "4a", declared: 2n ** 62n }), 1009],
  ];
  for (const [what, bytes, code] of wrong) {
    test(`${what} closes this session alone`, async (t) => {
      const target = await server();
      const raw = await rawSession(target);
      const observer = await observe(t, target);
      await raw.wire.write(bytes);
      const got = await raw.closeCode();
      assert.ok(got === code || got === null, `closed with ${got} instead of ${code}`);
      const [reason, ...more] = await observer.reasons(raw.sid);
      assert.deepEqual(more, []);
      assert.match(reason, /^(transport error|transport close)$/);
    });
  }
});
