// Socket.IO's client 2 on each of its ways, and its packets by hand: the main namespace, queries, refusals, events, bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import ioClient2 from "socket.io-client-2";
import { call, collect, connected as connected4, upgraded, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { PollingSession, SOCKET } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { carriers3, WebSocketSession3 } from "../lib/v3.mjs";
import { event } from "../lib/wait.mjs";

const { Manager } = ioClient2;
const allowed = { allowEIO3: true };
const bytes = (...values) => Buffer.from(values);

/** A manager of its own, without reconnection. */
function manager2(t, target, { way = "upgrade", ...options } = {}) {
  const manager = new Manager(target.url, { transports: ways[way], reconnection: false, ...options });
  t.after(() => manager.close());
  return manager;
}

async function connected2(t, target, { namespace = "/", query, ...options } = {}) {
  const socket = manager2(t, target, options).socket(namespace, { query });
  await event(socket, "connect");
  return socket;
}

group("Clients", () => {
  for (const way of Object.keys(ways)) {
    const over = `client 2 over ${way}`;

    for (const forceBase64 of [false, true]) {
      const form = forceBase64 ? "as base64" : "as bytes";

      test(`${over}, bytes ${form}: events, acknowledgements and bytes go both ways [clients.v2]`, async (t) => {
        const socket = await connected2(t, await server(allowed), { way, forceBase64 });
        const values = [1, "é€😀", null, true, { a: [{ b: null }] }, [], bytes(1, 2, 255), { deep: [bytes(), "x"] }, bytes(3)];
        assert.deepEqual(await call(socket, "echo", ...values), values);
        const answer = event(socket, "echo");
        socket.emit("echo", ...values);
        assert.deepEqual(await answer, values);
        socket.once("question", (question, reply) => reply(question, bytes(9), "!"));
        assert.deepEqual(await call(socket, "ask", "question", ["?"], 1000), [{ answer: ["?", bytes(9), "!"] }]);
        if (way !== "polling") await upgraded(socket);
        assert.deepEqual(await call(socket, "echo", ...values), values);
      });

      test(`${over}, bytes ${form}: text and bytes keep their order, while it upgrades as well [clients.v2]`, async (t) => {
        const socket = await connected2(t, await server(allowed), { way, forceBase64 });
        const events = collect(socket, "echo");
        for (let i = 0; i < 300; i += 1) socket.emit("echo", i % 3 === 0 ? bytes(i % 256, 1) : i);
        for (let i = 0; i < 300; i += 1) assert.deepEqual(await events.take(), [i % 3 === 0 ? bytes(i % 256, 1) : i]);
      });
    }

    test(`${over}: rooms and broadcasts, together with client 4 [clients.v2]`, async (t) => {
      const target = await server(allowed);
      const old = await connected2(t, target, { way });
      const present = await connected4(t, target, { way });
      await call(old, "join", ["room"]);
      await call(present, "join", ["room"]);
      const heard = [old, present].map((socket) => event(socket, "news"));
      await call(old, "send", { from: "namespace", to: ["room"] }, "news", ["x", bytes(7, 8)]);
      for (const one of heard) assert.deepEqual(await one, ["x", bytes(7, 8)]);
      const [asked] = await call(present, "ask all", { from: "namespace", to: [old.id], timeout: 50 }, "nobody answers", []);
      assert.deepEqual(asked, { error: true, answers: [] });
    });

    test(`${over}: its id is the one that the server has`, async (t) => {
      const manager = manager2(t, await server(allowed), { way });
      for (const namespace of ["/", "/other"]) {
        const socket = manager.socket(namespace);
        await event(socket, "connect");
        assert.deepEqual(await call(socket, "rooms"), [[socket.id]]);
      }
    });

    test(`${over}: the reasons of both sides when the client leaves, and when the server sends it away [clients.v2]`, async (t) => {
      const target = await server(allowed);
      const observer = await connected4(t, target);
      const left = await connected2(t, target, { way });
      const leftId = left.id;
      const leaving = event(left, "disconnect");
      left.disconnect();
      assert.deepEqual(await leaving, ["io client disconnect"]);
      assert.deepEqual(await call(observer, "left", leftId), [["client namespace disconnect"]]);
      const sent = await connected2(t, target, { way });
      const sentId = sent.id;
      const away = event(sent, "disconnect");
      sent.emit("leave me", false);
      assert.deepEqual(await away, ["io server disconnect"]);
      assert.deepEqual(await call(observer, "left", sentId), [["server namespace disconnect"]]);
      const gone = await connected2(t, target, { way });
      const goneId = gone.id;
      gone.io.engine.close();
      assert.deepEqual(await call(observer, "left", goneId), [["transport close"]]);
    });

    test(`${over}: a guarded namespace reads the query, and its refusal comes as it is [v3.query]`, async (t) => {
      const manager = manager2(t, await server(allowed), { way });
      const admitted = manager.socket("/guarded", { query: { token: "secret", "a b": "&=?" } });
      const welcome = event(admitted, "welcome");
      await event(admitted, "connect");
      assert.deepEqual(await welcome, [["first", "second"]]);
      assert.deepEqual(await call(admitted, "auth"), [{ token: "secret", "a b": "&=?" }]);
      const refused = manager2(t, await server(allowed), { way }).socket("/guarded", { query: { token: "x" } });
      assert.deepEqual(await event(refused, "error"), [{ reason: "bad token" }]);
      const plainly = manager2(t, await server(allowed), { way }).socket("/guarded", { query: "token=x&plain=true" });
      assert.deepEqual(await event(plainly, "error"), ["go away"]);
      const unknown = manager2(t, await server(allowed), { way }).socket("/nowhere");
      assert.deepEqual(await event(unknown, "error"), [{ message: "Invalid namespace" }]);
    });
  }
});

group("Protocol 3", () => {
  for (const Carrier of carriers3) {
    const over = `over ${Carrier.transport}`;

    test(`${over} the main namespace is joined without a word, and answered without data [v3.main]`, async () => {
      const session = await Carrier.open(await server(allowed), SOCKET);
      assert.equal(await session.next(), "40");
      await session.send('420["echo",1]');
      assert.equal(await session.next(), "430[1]");
      await session.leave();
    });

    test(`${over} namespaces are joined by name and query, and left [v3.query]`, async () => {
      const session = await Carrier.open(await server(allowed), SOCKET);
      assert.equal(await session.next(), "40");
      for (const [packet, answer] of [
        ["40/other", "40/other,"],
        ['42/other,1["auth"]', "43/other,1[{}]"],
        ["40/guarded?token=x&plain=true,", '44/guarded,"go away"'],
        ["40/guarded?token=x,", '44/guarded,{"reason":"bad token"}'],
        ['40/guarded,{"token":"secret"}', '44/guarded,{"reason":"bad token"}'],
        ["40/guarded?token=secret&x=%20+", "40/guarded,"],
      ]) {
        await session.send(packet);
        assert.equal(await session.next(), answer);
      }
      assert.equal(await session.next(), '42/guarded,["welcome",["first","second"]]');
      await session.send('42/guarded?y=1,2["auth"]');
      assert.equal(await session.next(), '43/guarded,2[{"token":"secret","x":"  "}]');
      await session.send("41/other,", '42/other,["echo"]');
      await session.leave();
    });

    test(`${over} bytes come behind their packet`, async () => {
      const session = await Carrier.open(await server(allowed), SOCKET);
      assert.equal(await session.next(), "40");
      const placeholder = '{"_placeholder":true,"num":0}';
      await session.send(`451-7["echo",${placeholder}]`, bytes(4, 1));
      assert.equal(await session.next(), `461-7[${placeholder}]`);
      assert.deepEqual(await session.next(), bytes(4, 1));
      await session.leave();
    });
  }

  test("protocol 4 joins nothing by itself on the same server [v3.main]", async () => {
    const session = await PollingSession.open(await server(allowed), SOCKET);
    await session.send('40/other,{"tag":1}');
    assert.match(await session.next(), /^40\/other,\{"sid":"/);
  });

  test("a second CONNECT to the main namespace closes the session", async () => {
    const session = await WebSocketSession3.open(await server(allowed), SOCKET);
    assert.equal(await session.next(), "40");
    await session.send("40");
    await session.ended();
  });

  test("the name of a namespace is what stands before the question mark", async () => {
    const session = await WebSocketSession3.open(await server(allowed), SOCKET);
    assert.equal(await session.next(), "40");
    await session.send("40/a/../other,");
    const ours = '44/a/../other,{"message":"Invalid namespace"}';
    assert.equal(await session.next(), differs({ reference: "40/other,", ours }));
    await session.leave();
  });
});
