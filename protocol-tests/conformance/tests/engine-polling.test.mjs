// Engine.IO over long-polling: bodies, their limits and pieces, overlapping requests, and how a session ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../lib/groups.mjs";
import { ENGINE, observe, PollingSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { settle } from "../lib/wait.mjs";
import { ask, request, Wire } from "../lib/wire.mjs";

async function echoes(session, text = "still here") {
  await session.send(`4${text}`);
  assert.equal(await session.next(), `4${text}`);
}

group("Messages, ordering, flush", () => {
  test("a text message comes back in a poll [msg.text]", async () => {
    await echoes(await PollingSession.open(await server()), "hello");
  });

  test("characters of every width come back unharmed [msg.multi-byte]", async () => {
    await echoes(await PollingSession.open(await server()), "aé€😀\u0000\u2028 ½");
  });

  test("a parked poll is answered as soon as there is a message", async () => {
    const session = await PollingSession.open(await server());
    const poll = await session.park();
    await session.send("4now");
    assert.equal((await poll.response()).body, "4now");
  });

  test("packets of one body are handled in order, and answered in order in one body", async () => {
    const session = await PollingSession.open(await server());
    await session.send("4a", "4b", "4c");
    const response = await session.poll();
    assert.equal(response.body, "4a\x1e4b\x1e4c");
  });

  test("a thousand packets in one body come back in order [msg.order]", async () => {
    const session = await PollingSession.open(await server());
    const packets = Array.from({ length: 1000 }, (_, i) => `4${i}`);
    await session.send(...packets);
    for (const packet of packets) assert.equal(await session.next(), packet);
  });

  test("binary travels as base64 behind a b [msg.binary]", async () => {
    const session = await PollingSession.open(await server());
    await session.post("bAQIDBA==");
    assert.equal((await session.poll()).body, "bAQIDBA==");
  });

  test("binary of every length modulo three comes back unharmed", async () => {
    const session = await PollingSession.open(await server());
    for (const bytes of [[255], [0, 1], [1, 2, 3], [252, 253, 254, 255]]) {
      await session.send(Buffer.from(bytes));
      assert.deepEqual([...(await session.next())], bytes);
    }
  });

  test("text and binary keep their order", async () => {
    const session = await PollingSession.open(await server());
    await session.send("4a", Buffer.from([1]), "4b", Buffer.from([2, 3]));
    assert.equal((await session.poll()).body, "4a\x1ebAQ==\x1e4b\x1ebAgM=");
  });

  test("an empty message is a message", async () => {
    const session = await PollingSession.open(await server());
    await session.send("4", "4after");
    assert.equal(await session.next(), "4");
    assert.equal(await session.next(), "4after");
  });

  test("a body written byte by byte is put together [msg.split]", async () => {
    const session = await PollingSession.open(await server());
    const body = Buffer.from("4é€😀\x1e4second");
    const wire = await session.begin("POST", { headers: { "content-length": body.length } });
    await wire.writePieces(Array.from(body, (byte) => Buffer.from([byte])));
    assert.equal((await wire.response()).body, "ok");
    assert.equal(await session.next(), "4é€😀");
    assert.equal(await session.next(), "4second");
  });

  test("a head written byte by byte is understood", async () => {
    const target = await server();
    const wire = await Wire.open(target.port);
    await wire.writePieces(Array.from(request("GET", `${ENGINE}?EIO=4&transport=polling`), (byte) => Buffer.from([byte])));
    assert.equal((await wire.response()).status, 200);
  });

  test("a chunked body is put together [msg.chunked]", async () => {
    const session = await PollingSession.open(await server());
    const wire = await session.begin("POST", { headers: { "transfer-encoding": "chunked" } });
    await wire.writePieces(["3\r\n4a\x1e\r\n", "2\r\n4b\r\n", "0\r\n\r\n"]);
    assert.equal((await wire.response()).body, "ok");
    assert.equal(await session.next(), "4a");
    assert.equal(await session.next(), "4b");
  });

  test("a POST's content type does not matter, except for bytes", async () => {
    const session = await PollingSession.open(await server());
    for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded", ""]) {
      const response = await session.post("4a", { "content-type": type });
      assert.equal(response.status, 200, type);
      assert.equal(await session.next(), "4a");
    }
  });

  test("a body of exactly maxPayload bytes is accepted [msg.limit]", async () => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    await echoes(session, "x".repeat(99));
  });

  test("a body of one byte more is refused with 413, and nothing of it is delivered [msg.over]", async (t) => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    const observer = await observe(t, session.server);
    const response = await session.post(`4${"x".repeat(100)}`);
    assert.equal(response.status, 413);
    assert.equal((await observer.status(session.sid)).messages, 0);
  });

  test("a refused body does not end the session", async () => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    assert.equal((await session.post(`4${"x".repeat(100)}`)).status, 413);
    await echoes(session);
  });

  test("a chunked body is refused with 413 when it grows over maxPayload [msg.over]", async (t) => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    const observer = await observe(t, session.server);
    const wire = await session.begin("POST", { headers: { "transfer-encoding": "chunked" } });
    await wire.writePieces(Array.from({ length: 11 }, () => "a\r\n4xxxxxxxxx\r\n"));
    assert.equal((await wire.response()).status, 413);
    assert.equal((await observer.status(session.sid)).messages, 0);
  });

  test("a body that is declared too long is refused before it is sent", async () => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    const wire = await session.begin("POST", { headers: { "content-length": 100_000_000 } });
    // The reference waits for the bytes and refuses at the first one too many.
    if (differs({ reference: true, ours: false })) await wire.write("4".repeat(101));
    assert.equal((await wire.response()).status, 413);
  });

  test("the limit counts bytes, not characters", async () => {
    const session = await PollingSession.open(await server({ maxPayload: 100 }));
    assert.equal((await session.post(`4${"€".repeat(33)}`)).status, 200);
    assert.equal((await session.post(`4${"€".repeat(34)}`)).status, 413);
  });

  test("a message of a megabyte comes back whole", async () => {
    const session = await PollingSession.open(await server());
    await echoes(session, "é".repeat(499_999));
  });

  test("an answer may be longer than maxPayload and still nothing of it is lost", async () => {
    const session = await PollingSession.open(await server({ maxPayload: 1000 }));
    await session.send("4!burst 1000");
    for (let i = 0; i < 1000; i += 1) assert.equal(await session.next(), `4${i}`);
  });

  test("packets that mean nothing here are ignored", async () => {
    const session = await PollingSession.open(await server());
    await session.send("0", '0{"sid":"x"}', "3", "3probe", "5", "6");
    await echoes(session);
  });

  test("a GET and a POST at the same time are the normal case", async () => {
    const session = await PollingSession.open(await server());
    for (let i = 0; i < 20; i += 1) {
      const poll = await session.park();
      await session.send(`4${i}`);
      assert.equal((await poll.response()).body, `4${i}`);
      poll.destroy();
    }
  });
});

group("Heartbeat, close, disconnect reasons", () => {
  test("a close packet from the client ends the session with transport close [close.by-client]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    await session.send("1");
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
    assert.equal((await session.poll()).status, 400);
  });

  test("a close packet releases the parked poll", async () => {
    const session = await PollingSession.open(await server());
    const poll = await session.park();
    await session.send("1");
    const response = await poll.response();
    assert.equal(`${response.status} ${response.body}`, "200 6");
  });

  test("messages before a close packet in the same body are delivered, those after it are not [close.same-body]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    await session.send("4a", "4b", "1", "4c");
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
    assert.equal((await observer.status(session.sid)).messages, 2);
  });

  test("a close by the server is a close packet to the parked poll, and the reason forced close [close.by-server]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const poll = await session.park();
    await session.send("4!close");
    assert.equal((await poll.response()).body, "1");
    assert.deepEqual(await observer.reasons(session.sid), ["forced close"]);
  });

  test("a close by the server reaches a client that polls later, after what was queued before [close.flush]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    await session.send("4a", "4!close");
    assert.deepEqual((await session.ended()).filter((packet) => packet !== "6"), ["4a"]);
    assert.deepEqual(await observer.reasons(session.sid), ["forced close"]);
  });

  test("a closed session is unknown from then on", async () => {
    const session = await PollingSession.open(await server());
    await session.send("1");
    for (const response of [await session.poll(), await session.post("4a")]) {
      assert.equal(response.status, 400);
      assert.equal(response.body, '{"code":1,"message":"Session ID unknown"}');
    }
  });

  test("a second GET beside a parked one is refused with 400 and ends the session with transport error", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const first = await session.park();
    assert.equal((await session.poll()).status, 400);
    assert.equal((await first.response()).body, "1");
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
  });

  test("a second POST beside an unfinished one is refused with 400 and ends the session with transport error", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const first = await session.begin("POST", { headers: { "content-length": 10 } });
    await first.write("4a");
    await settle();
    assert.equal((await session.post("4b")).status, 400);
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
    assert.equal((await observer.status(session.sid)).messages, 0);
  });

  test("a POST of bytes is refused with 400 and ends the session with transport error [close.content-type]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    assert.equal((await session.post("4a", { "content-type": "application/octet-stream" })).status, 400);
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
  });

  for (const [what, body] of [
    ["an unknown type digit", "9"],
    ["no type digit", "hello"],
    ["an empty body", ""],
    ["an empty packet after a good one", "4a\x1e"],
    ["an empty packet between good ones", "4a\x1e\x1e4b"],
  ]) {
    test(`${what} ends the session with parse error [close.parse-error]`, async (t) => {
      const session = await PollingSession.open(await server());
      const observer = await observe(t, session.server);
      const wire = await session.begin("POST", { body });
      assert.deepEqual(await observer.reasons(session.sid), ["parse error"]);
    });
  }

  test("a packet after a broken one is not delivered", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const wire = await session.begin("POST", { body: "4a\x1exyz\x1e4b" });
    assert.deepEqual(await observer.reasons(session.sid), ["parse error"]);
    assert.equal((await observer.status(session.sid)).messages, 1);
  });

  test("a ping from the client goes the wrong way and ends the session with transport error", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const wire = await session.begin("POST", { body: "2" });
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
  });

  test("a client that cuts its parked poll ends the session with transport error", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const poll = await session.park();
    poll.destroy();
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
  });

  test("a client that resets its parked poll ends the session with transport error", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const poll = await session.park();
    poll.reset();
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
  });

  test("a POST cut in the middle ends the session with transport error, and nothing of it is delivered [close.aborted]", async (t) => {
    const session = await PollingSession.open(await server());
    const observer = await observe(t, session.server);
    const wire = await session.begin("POST", { headers: { "content-length": 10 } });
    await wire.write("4a\x1e4b");
    await settle();
    wire.destroy();
    assert.deepEqual(await observer.reasons(session.sid), ["transport error"]);
    assert.equal((await observer.status(session.sid)).messages, 0);
  });

  test("a connection that closes after each request does not end the session [close.connection-close]", async () => {
    const session = await PollingSession.open(await server());
    for (let i = 0; i < 5; i += 1) {
      assert.equal((await session.post(`4${i}`, { connection: "close" })).body, "ok");
      assert.equal((await session.poll({ headers: { connection: "close" } })).body, `4${i}`);
    }
  });

  test("a method that is neither GET nor POST does not reach the session", async () => {
    const session = await PollingSession.open(await server());
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const response = await ask(session.server, method, session.url);
      assert.equal(response.status, 500, method);
      assert.equal(response.body, "");
    }
    await echoes(session);
  });

  test("sessions that end leave nothing behind", async (t) => {
    const target = await server({ pingInterval: 25001 });
    const observer = await observe(t, target);
    const sessions = await Promise.all(Array.from({ length: 20 }, () => PollingSession.open(target)));
    assert.equal(await observer.open(), 21);
    for (const session of sessions) await session.send("1");
    for (const session of sessions) await observer.reasons(session.sid);
    assert.equal(await observer.open(), 1);
  });
});
