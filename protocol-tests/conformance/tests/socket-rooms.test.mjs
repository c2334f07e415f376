// Rooms and broadcasts: who gets what, once, in which order, and what happens to those who are not writable.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, collect, connected, ways } from "../lib/client.mjs";
import { group, timed } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { server } from "../lib/target.mjs";
import { assertPassed, event, settle } from "../lib/wait.mjs";

let made = 0;
/** A name nobody else has used: the servers are shared by all tests of this file. */
const fresh = (name) => `${name}-${(made += 1)}`;

/** Clients a, b, c … of the main namespace, each with an inbox of the event. */
async function crowd(t, size, { way = "upgrade", name = "news" } = {}) {
  const target = await server();
  const clients = await Promise.all(Array.from({ length: size }, () => connected(t, target, { way })));
  for (const one of clients) one.news = collect(one, name);
  return clients;
}

/** What each client has received by now: an echo behind the broadcast says that it would be there. */
async function received(...clients) {
  for (const one of clients) await call(one, "echo");
  const all = [];
  for (const one of clients) {
    const items = [];
    while (one.news.waiting > 0) items.push((await one.news.take())[0]);
    all.push(items);
  }
  return all;
}

for (const way of Object.keys(ways)) {
  const over = `over ${way}`;

  group("Rooms and broadcasting", () => {
    test(`${over}: joining several rooms at once, leaving one, and the rooms of a socket [room.join]`, async (t) => {
      const [a] = await crowd(t, 1, { way });
      assert.deepEqual(await call(a, "rooms"), [[a.id]]);
      await call(a, "join", ["x", "y"]);
      await call(a, "join", ["x"]);
      assert.deepEqual(await call(a, "rooms"), [[a.id, "x", "y"].sort()]);
      await call(a, "leave", "x");
      await call(a, "leave", "never joined");
      assert.deepEqual(await call(a, "rooms"), [[a.id, "y"].sort()]);
    });

    test(`${over}: a broadcast from the namespace to a room reaches its members and nobody else`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const room = fresh("room");
      await call(a, "join", [room]);
      await call(b, "join", [room]);
      await call(c, "send", { from: "namespace", to: [room] }, "news", [1]);
      assert.deepEqual(await received(a, b, c), [[1], [1], []]);
    });

    test(`${over}: a broadcast from a socket leaves that socket out [room.sender]`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const room = fresh("room");
      for (const one of [a, b, c]) await call(one, "join", [room]);
      await call(a, "send", { from: "socket", to: [room] }, "news", [1]);
      assert.deepEqual(await received(a, b, c), [[], [1], [1]]);
    });

    test(`${over}: somebody in several of the rooms gets a broadcast once [room.union]`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const [x, y] = [fresh("x"), fresh("y")];
      await call(a, "join", [x, y]);
      await call(b, "join", [y]);
      await call(c, "send", { from: "namespace", to: [x, y, x] }, "news", [1]);
      assert.deepEqual(await received(a, b, c), [[1], [1], []]);
    });

    test(`${over}: except leaves out rooms and single sockets [room.except]`, async (t) => {
      const [a, b, c, d] = await crowd(t, 4, { way });
      const [all, muted] = [fresh("all"), fresh("muted")];
      for (const one of [a, b, c, d]) await call(one, "join", [all]);
      await call(b, "join", [muted]);
      await call(a, "send", { from: "namespace", to: [all], except: [muted, c.id] }, "news", [1]);
      assert.deepEqual(await received(a, b, c, d), [[1], [], [], [1]]);
      await call(a, "send", { from: "socket", to: [all], except: [muted] }, "news", [2]);
      assert.deepEqual(await received(a, b, c, d), [[], [], [2], [2]]);
    });

    test(`${over}: a socket's id is a room of its own`, async (t) => {
      const [a, b] = await crowd(t, 2, { way });
      await call(a, "send", { from: "namespace", to: [b.id] }, "news", ["private"]);
      assert.deepEqual(await received(a, b), [[], ["private"]]);
    });

    test(`${over}: a room that is empty or never was gets nothing to anybody`, async (t) => {
      const [a, b] = await crowd(t, 2, { way });
      const room = fresh("room");
      await call(b, "join", [room]);
      await call(b, "leave", room);
      await call(a, "send", { from: "namespace", to: [room, fresh("never")] }, "news", [1]);
      assert.deepEqual(await received(a, b), [[], []]);
    });

    test(`${over}: rooms of one namespace are not those of another`, async (t) => {
      const [a] = await crowd(t, 1, { way });
      const other = a.io.socket("/other");
      await event(other, "connect");
      other.news = collect(other, "news");
      const room = fresh("room");
      await call(a, "join", [room]);
      await call(other, "join", [room]);
      await call(other, "send", { from: "namespace", to: [room] }, "news", [1]);
      assert.deepEqual(await received(a, other), [[], [1]]);
    });

    test(`${over}: somebody who left is in no room any more [room.forgotten]`, async (t) => {
      const [a, b] = await crowd(t, 2, { way });
      const room = fresh("room");
      await call(b, "join", [room]);
      const { id } = b;
      b.disconnect();
      await call(a, "left", id);
      assert.deepEqual(await call(a, "ask all", { from: "namespace", to: [room], timeout: 5000 }, "question", []), [
        { error: false, answers: [] },
      ]);
    });

    test(`${over}: bytes are broadcast as bytes, to each its own [room.binary]`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const room = fresh("room");
      await call(a, "join", [room]);
      await call(b, "join", [room]);
      await call(c, "send", { from: "namespace", to: [room] }, "news", [{ data: Buffer.from([1, 2]) }]);
      const value = [{ data: Buffer.from([1, 2]) }];
      assert.deepEqual(await received(a, b, c), [value, value, []]);
    });

    test(`${over}: local is a broadcast like any other where there is one server`, async (t) => {
      const [a, b] = await crowd(t, 2, { way });
      const room = fresh("room");
      await call(b, "join", [room]);
      await call(a, "send", { from: "namespace", to: [room], local: true }, "news", [1]);
      await call(a, "send", { from: "socket", to: [room], local: true }, "news", [2]);
      assert.deepEqual(await received(a, b), [[], [1, 2]]);
    });

    test(`${over}: all members get the broadcasts of all senders in one and the same order`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const room = fresh("room");
      for (const one of [a, b, c]) await call(one, "join", [room]);
      const sends = [];
      for (let i = 0; i < 100; i += 1) {
        for (const [name, one] of Object.entries({ a, b, c })) {
          sends.push(call(one, "send", { from: "namespace", to: [room] }, "news", [`${name}${i}`]));
        }
      }
      await Promise.all(sends);
      const [first, ...rest] = await received(a, b, c);
      assert.equal(first.length, 300);
      for (const one of rest) assert.deepEqual(one, first);
      for (const name of ["a", "b", "c"]) {
        assert.deepEqual(first.filter((item) => item.startsWith(name)), Array.from({ length: 100 }, (_, i) => `${name}${i}`));
      }
    });
  });

  group("Ack timeouts", () => {
    test(`${over}: a broadcast that asks collects an answer of everybody [ack.all]`, async (t) => {
      const clients = await crowd(t, 4, { way });
      const room = fresh("room");
      for (const [i, one] of clients.entries()) {
        if (i > 0) await call(one, "join", [room]);
        one.on("question", (n, answer) => answer(n * i));
      }
      const [{ error, answers }] = await call(clients[0], "ask all", { from: "namespace", to: [room], timeout: 5000 }, "question", [10]);
      assert.equal(error, false);
      assert.deepEqual(answers.sort((x, y) => x - y), [10, 20, 30]);
    });

    timed(`${over}: a broadcast that is not answered by all is an error with the answers that came [ack.partial]`, async (t) => {
      const [a, b, c] = await crowd(t, 3, { way });
      const room = fresh("room");
      for (const one of [a, b, c]) await call(one, "join", [room]);
      b.on("question", (answer) => answer("b"));
      c.on("question", () => {});
      const start = performance.now();
      const [{ error, answers }] = await call(a, "ask all", { from: "socket", to: [room], timeout: 300 }, "question", []);
      assertPassed(start, 300);
      assert.equal(error, true);
      assert.deepEqual(answers, ["b"]);
    });

    test(`${over}: a broadcast that asks nobody has no answers and no error, at once [ack.nobody]`, async (t) => {
      const [a] = await crowd(t, 1, { way });
      const start = performance.now();
      assert.deepEqual(await call(a, "ask all", { from: "namespace", to: [fresh("empty")], timeout: 3000 }, "question", []), [
        { error: false, answers: [] },
      ]);
      assert.ok(performance.now() - start < 1000);
    });
  });
}

group("Rooms and broadcasting", () => {
  test("a broadcast without rooms reaches the whole namespace, on whatever transport [room.all nsp.many-sockets]", async (t) => {
    const target = await server({ pingInterval: 25002 });
    const clients = [];
    for (const way of Object.keys(ways)) clients.push(await connected(t, target, { way }));
    for (const one of clients) one.news = collect(one, "news");
    await call(clients[0], "send", { from: "namespace" }, "news", [1]);
    assert.deepEqual(await received(...clients), [[1], [1], [1]]);
    await call(clients[0], "send", { from: "socket" }, "news", [2]);
    assert.deepEqual(await received(...clients), [[], [2], [2]]);
  });
});

group("Volatile", () => {
  test("over polling nothing volatile waits for the next poll: it is dropped, and what is not volatile arrives [vol.polling vol.regular]", async () => {
    const raw = await PacketClient.join(PollingSession, await server());
    await raw.send('2["volatile burst",5]');
    // No poll is parked while the handler runs.
    assert.equal(await raw.next(), '2["burst over"]');
    await raw.leave();
  });

  test("over polling a parked poll takes the first volatile event, and the repeated ones are lost [vol.polling]", async () => {
    const raw = await PacketClient.join(PollingSession, await server());
    const next = raw.next();
    await settle();
    await raw.send('2["volatile burst",5]');
    assert.equal(await next, '2["tick",0]');
    assert.equal(await raw.next(), '2["burst over"]');
    await raw.leave();
  });

  test("over WebSocket the first volatile event wins, and what is not volatile arrives [vol.websocket vol.regular]", async () => {
    const raw = await PacketClient.join(WebSocketSession, await server());
    await raw.send('2["volatile burst",5]');
    assert.equal(await raw.next(), '2["tick",0]');
    assert.equal(await raw.next(), '2["burst over"]');
    await raw.leave();
  });

  test("over WebSocket a volatile event at rest arrives", async (t) => {
    const [a, b] = await crowd(t, 2, { way: "websocket" });
    for (let i = 0; i < 20; i += 1) {
      await call(a, "send", { from: "namespace", to: [b.id], volatile: true }, "news", [i]);
      assert.deepEqual(await received(b), [[i]]);
    }
  });

  test("a volatile broadcast is dropped for those who are not polling, and arrives at those who can take it [vol.broadcast]", async (t) => {
    const target = await server();
    const room = fresh("room");
    const away = await PacketClient.join(PollingSession, target);
    await away.send(`20["join",["${room}"]]`);
    assert.equal(await away.next(), "30[]");
    const [a, b] = await crowd(t, 2, { way: "websocket" });
    await call(b, "join", [room]);
    await call(a, "send", { from: "namespace", to: [room], volatile: true }, "news", ["volatile"]);
    await call(a, "send", { from: "namespace", to: [room] }, "news", ["regular"]);
    assert.deepEqual(await received(b), [["volatile", "regular"]]);
    assert.equal(await away.next(), '2["news","regular"]');
    await away.leave();
  });

  test("volatile bytes are dropped or arrive whole [vol.binary]", async (t) => {
    const target = await server();
    const away = await PacketClient.join(PollingSession, target);
    const [a] = await crowd(t, 1, { way: "websocket" });
    await call(a, "send", { from: "namespace", to: [away.id], volatile: true }, "news", [Buffer.from([1])]);
    await call(a, "send", { from: "namespace", to: [away.id] }, "news", [Buffer.from([2])]);
    assert.equal(await away.next(), '51-["news",{"_placeholder":true,"num":0}]');
    assert.deepEqual([...(await away.next())], [2]);
    await away.leave();
  });
});
