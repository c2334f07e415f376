// Engine.IO 3: who is let in, both forms of its payloads, the heartbeat that the client keeps, and the upgrade.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group, timed } from "../lib/groups.mjs";
import { ENGINE, observe, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { binaryPayload, carriers3, PollingSession3, textPayload, upgrade3, WebSocketSession3 } from "../lib/v3.mjs";
import { assertPassed, pause } from "../lib/wait.mjs";
import { ask } from "../lib/wire.mjs";

const allowed = { allowEIO3: true };
const bytes = (...values) => Buffer.from(values);

group("Protocol 3", () => {
  test("it is refused with code 5 unless it is allowed, and so is every version but 4 [v3.option]", async () => {
    for (const version of ["EIO=3&", "EIO=5&", "EIO=&", ""]) {
      const path = `${ENGINE}?${version}transport=polling`;
      const refused = await ask(await server(), "GET", path);
      assert.equal(`${refused.status} ${refused.body}`, '400 {"code":5,"message":"Unsupported protocol version"}', version);
      const welcome = await ask(await server(allowed), "GET", path);
      assert.match(welcome.body, /^\d+:0\{"sid":"/, version);
    }
  });

  test("the open packet is that of protocol 4, behind its length", async () => {
    const session = await PollingSession3.open(await server(allowed));
    assert.deepEqual(
      { ...session.handshake, sid: "" },
      { sid: "", upgrades: ["websocket"], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000 },
    );
    assert.equal(session.first.headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(session.first.headers["cache-control"], "no-store");
    const socket = await WebSocketSession3.open(await server(allowed));
    assert.deepEqual(socket.handshake.upgrades, []);
  });

  test("requests of another version than the session's are refused with code 3", async () => {
    const target = await server(allowed);
    const old = await PollingSession3.open(target);
    const present = await PollingSession.open(target);
    for (const url of [old.url.replace("EIO=3", "EIO=4"), present.url.replace("EIO=4", "EIO=3")]) {
      const refused = await ask(target, "GET", url);
      assert.equal(`${refused.status} ${refused.body}`, '400 {"code":3,"message":"Bad request"}');
    }
    await old.send("4still here");
    assert.equal(await old.next(), "4still here");
  });

  for (const Carrier of carriers3) {
    const over = `over ${Carrier.transport}`;

    test(`${over} text and bytes come back as they were, in order [v3.suite]`, async () => {
      const session = await Carrier.open(await server(allowed));
      const packets = ["4hello", bytes(1, 2, 255), "4é€😀:1:", bytes(), "4", bytes(...Array(300).keys())];
      await session.send(...packets);
      for (const packet of packets) assert.deepEqual(await session.next(), packet);
      for (let i = 0; i < 500; i += 1) await session.send(i % 3 === 0 ? bytes(i % 256, 1) : `4${i}`);
      for (let i = 0; i < 500; i += 1) assert.deepEqual(await session.next(), i % 3 === 0 ? bytes(i % 256, 1) : `4${i}`);
      await session.leave();
    });

    test(`${over} who asks for base64 gets bytes as text`, async () => {
      const session = await Carrier.open(await server(allowed), ENGINE, "&b64=1");
      await session.send(bytes(1, 2, 255), "4a");
      if (Carrier === WebSocketSession3) {
        assert.equal(await session.next(), "b4AQL/");
      } else {
        const response = await session.poll();
        assert.equal(response.headers["content-type"], "text/plain; charset=UTF-8");
        assert.match(response.body, /^6:b4AQL\//);
      }
      await session.leave();
    });

    test(`${over} a ping of the client is answered at once [v3.suite]`, async () => {
      const session = await Carrier.open(await server(allowed));
      await session.send("2");
      assert.equal(await session.next(), "3");
      await session.send("2data");
      assert.equal(await session.next(), differs({ reference: "3", ours: "3data" }));
      await session.leave();
    });

    test(`${over} a pong of the client, or a packet that is none, ends the session`, async (t) => {
      const target = await server(allowed);
      const observer = await observe(t, target);
      for (const [packet, reason] of [["3", "transport error"], ["x", "parse error"], ["", "parse error"]]) {
        const session = await Carrier.open(target);
        if (Carrier === PollingSession3 && packet === "") await session.post("1:x");
        else await session.send(packet).catch(() => {});
        assert.deepEqual(await observer.reasons(session.sid), [reason], packet);
      }
    });

    test(`${over} the server's close and the client's each end the session once [v3.suite]`, async (t) => {
      const target = await server(allowed);
      const observer = await observe(t, target);
      const closed = await Carrier.open(target);
      await closed.send("4!close");
      if (Carrier === PollingSession3) while ((await closed.next()) !== "1");
      assert.deepEqual(await observer.reasons(closed.sid), ["forced close"]);
      const left = await Carrier.open(target);
      await left.leave();
      assert.deepEqual(await observer.reasons(left.sid), ["transport close"]);
    });

    timed(`${over} the server sends no ping, and a silent session is gone after both times [v3.suite]`, async (t) => {
      const target = await server({ ...allowed, pingInterval: 300, pingTimeout: 200 });
      const observer = await observe(t, target);
      const start = performance.now();
      const session = await Carrier.open(target);
      const packets = [];
      const reading = session.next().then((packet) => packets.push(packet)).catch(() => {});
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(start, 500);
      await reading;
      assert.deepEqual(packets.filter((packet) => packet !== "1"), []);
    });

    timed(`${over} each ping gives the session its full time, and nothing else does [v3.suite]`, async (t) => {
      const target = await server({ ...allowed, pingInterval: 300, pingTimeout: 200 });
      const observer = await observe(t, target);
      const session = await Carrier.open(target);
      for (let i = 0; i < 3; i += 1) {
        await pause(300);
        await session.send("2");
        assert.equal(await session.next(), "3");
      }
      const pinged = performance.now();
      await pause(300);
      await session.send("4a");
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(pinged, 500);
    });
  }

  test("a poll with bytes is a binary body, one without is text", async () => {
    const session = await PollingSession3.open(await server(allowed));
    await session.send("4é", bytes(1));
    const binary = await session.poll();
    assert.equal(binary.headers["content-type"], "application/octet-stream");
    assert.deepEqual(binary.bytes, binaryPayload(["4é", bytes(1)]));
    await session.post(textPayload(["4é😀"]));
    const text = await session.poll();
    assert.equal(text.headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(text.body, "4:4é😀");
  });

  test("a body that does not decode ends the session, behind the packets before it", async (t) => {
    const target = await server(allowed);
    const observer = await observe(t, target);
    for (const body of ["", "abc", ":4a", "3:4a", "2:4a2", "2:4a1:x", "x:4a"]) {
      const session = await PollingSession3.open(target);
      assert.equal((await session.post(body)).body, "ok");
      assert.deepEqual(await observer.reasons(session.sid), ["parse error"], body);
      assert.equal((await observer.status(session.sid)).messages, body.startsWith("2:4a") ? 1 : 0, body);
    }
  });

  test("an empty packet means nothing", async () => {
    const session = await PollingSession3.open(await server(allowed));
    await session.post("0:2:4a");
    assert.equal(await session.next(), "4a");
    assert.equal((await session.post(bytes())).body, "ok");
    await session.send("4b");
    assert.equal(await session.next(), "4b");
  });

  test("lengths are decimal digits, and those of a binary body are true", async (t) => {
    const target = await server(allowed);
    const observer = await observe(t, target);
    const bodies = ["2.0:4a", "0x2:4a", " 2:4a", bytes(1, 5, 255, 4, 1), bytes(1, 2, 255, 7, 1), bytes(2, 2, 255, 4, 1)];
    for (const body of bodies) {
      const session = await PollingSession3.open(target);
      await session.post(body);
      if (differs({ reference: true, ours: false })) {
        await session.send("4still here");
        while ((await session.next()) !== "4still here");
      } else {
        assert.deepEqual(await observer.reasons(session.sid), ["parse error"], String(body));
      }
    }
  });

  test("the limit of a body is that of protocol 4", async () => {
    const session = await PollingSession3.open(await server({ ...allowed, maxPayload: 100 }));
    assert.equal((await session.post(`96:4${"x".repeat(95)}`)).status, 200);
    assert.equal(await session.next(), `4${"x".repeat(95)}`);
    assert.equal((await session.post(`99:4${"x".repeat(98)}`)).status, 413);
  });

  test("an upgrade moves the session, with what waits for it, in order [v3.suite]", async (t) => {
    const target = await server(allowed);
    const observer = await observe(t, target);
    const session = await PollingSession3.open(target);
    const socket = await upgrade3(session);
    await socket.send("4a", bytes(1, 2), "2");
    assert.equal(await socket.next(), "4a");
    assert.deepEqual(await socket.next(), bytes(1, 2));
    assert.equal(await socket.next(), "3");
    await socket.leave();
    assert.deepEqual(await observer.reasons(session.sid), ["transport close"]);
  });

  timed("after an upgrade silence ends the session as before", async (t) => {
    const target = await server({ ...allowed, pingInterval: 300, pingTimeout: 200 });
    const observer = await observe(t, target);
    const session = await PollingSession3.open(target);
    const socket = await upgrade3(session);
    await socket.send("2");
    assert.equal(await socket.next(), "3");
    const pinged = performance.now();
    if (differs({ reference: true, ours: false })) {
      await pause(700);
      await socket.send("4still here");
      assert.equal(await socket.next(), "4still here");
    } else {
      assert.deepEqual(await observer.reasons(session.sid), ["ping timeout"]);
      assertPassed(pinged, 500);
    }
  });

  test("protocol 4 may ask for base64 on a WebSocket, too", async () => {
    const session = await WebSocketSession.open(await server(), ENGINE, "&b64=1");
    await session.send(bytes(1, 2, 255));
    assert.equal(await session.next(), "bAQL/");
  });
});
