// The official client on each of its ways: events, acknowledgements both ways, binary, and how sockets disconnect.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, collect, connected, upgraded, ways } from "../lib/client.mjs";
import { group, timed } from "../lib/groups.mjs";
import { server } from "../lib/target.mjs";
import { assertPassed, event, pause } from "../lib/wait.mjs";

const bytes = (...values) => Buffer.from(values);

for (const way of Object.keys(ways)) {
  const over = `over ${way}`;

  group("Events, acks, binary", () => {
    test(`${over}: every JSON value comes back as it was, by event and by acknowledgement [ev.values ev.null]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const values = [1, "2", null, true, -1.5, { a: [{ b: null }] }, [], [[1]], "é€😀\u2028", "", {}];
      assert.deepEqual(await call(socket, "echo", ...values), values);
      const answer = event(socket, "echo");
      socket.emit("echo", ...values);
      assert.deepEqual(await answer, values);
    });

    test(`${over}: no arguments are no arguments`, async (t) => {
      const socket = await connected(t, await server(), { way });
      assert.deepEqual(await call(socket, "echo"), []);
      const answer = event(socket, "echo");
      socket.emit("echo");
      assert.deepEqual(await answer, []);
    });

    test(`${over}: a lone array stays an array`, async (t) => {
      const socket = await connected(t, await server(), { way });
      assert.deepEqual(await call(socket, "echo", [1, 2]), [[1, 2]]);
      assert.deepEqual(await call(socket, "echo", []), [[]]);
    });

    test(`${over}: bytes come back as bytes, by event and by acknowledgement [ev.binary ev.ack-binary]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const values = [bytes(1, 2, 3), "text", { nested: { deep: [bytes(4)] } }, bytes(), [bytes(5), bytes(6, 7)]];
      assert.deepEqual(await call(socket, "echo", ...values), values);
      const answer = event(socket, "echo");
      socket.emit("echo", ...values);
      assert.deepEqual(await answer, values);
    });

    test(`${over}: a typed array sends the range it views [msg.view]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const view = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
      assert.deepEqual(await call(socket, "echo", view), [bytes(1, 2)]);
    });

    test(`${over}: an object that looks like a placeholder without bytes is only an object`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const value = { _placeholder: true, num: 0 };
      assert.deepEqual(await call(socket, "echo", value), [value]);
    });

    test(`${over}: an acknowledgement is sent once, however often the handler answers [ev.ack]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      let answers = 0;
      await new Promise((resolve) => {
        socket.emit("echo twice", 1, () => {
          answers += 1;
          resolve();
        });
      });
      await call(socket, "echo");
      assert.equal(answers, 1);
    });

    test(`${over}: a megabyte of JSON and a megabyte of bytes come back whole [ev.large]`, async (t) => {
      const socket = await connected(t, await server({ maxPayload: 5_000_000 }), { way });
      const text = "é".repeat(500_000);
      const data = Buffer.alloc(1_000_000, 7);
      assert.deepEqual(await call(socket, "echo", text), [text]);
      const [back] = await call(socket, "echo", data);
      assert.ok(data.equals(back));
    });

    test(`${over}: two thousand events and their acknowledgements keep their order`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const events = collect(socket, "echo");
      const acknowledged = [];
      const last = new Promise((resolve) => {
        for (let i = 0; i < 2000; i += 1) {
          if (i % 2 === 0) socket.emit("echo", i);
          else socket.emit("echo", i, (n) => acknowledged.push(n) === 1000 && resolve());
        }
      });
      for (let i = 0; i < 2000; i += 2) assert.deepEqual(await events.take(), [i]);
      await last;
      assert.deepEqual(acknowledged, Array.from({ length: 1000 }, (_, i) => 2 * i + 1));
    });

    test(`${over}: events that the server sends unasked keep their order`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const ticks = collect(socket, "tick");
      socket.emit("burst", 2000);
      for (let i = 0; i < 2000; i += 1) assert.deepEqual(await ticks.take(), [i]);
    });

    test(`${over}: binary and text events keep their order among each other`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const events = collect(socket, "echo");
      for (let i = 0; i < 300; i += 1) socket.emit("echo", i % 3 === 0 ? bytes(i % 256, 1) : i);
      for (let i = 0; i < 300; i += 1) assert.deepEqual(await events.take(), [i % 3 === 0 ? bytes(i % 256, 1) : i]);
    });

    test(`${over}: handlers start in the order in which events arrive, and none waits for another to finish`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const finished = collect(socket, "finished");
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      for (const n of numbers) socket.emit("start", n);
      assert.deepEqual(await call(socket, "started"), [numbers]);
      assert.equal(finished.waiting, 0);
      socket.emit("release");
      const done = [];
      for (const _ of numbers) done.push((await finished.take())[0]);
      assert.deepEqual(done.sort((a, b) => a - b), numbers);
    });

    test(`${over}: a handler may ask its own client something and wait for the answer [ev.ack-server]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      socket.on("question", (a, b, answer) => answer(a * b, "thanks"));
      assert.deepEqual(await call(socket, "ask", "question", [6, 7], 5000), [{ answer: [42, "thanks"] }]);
    });

    test(`${over}: a client may answer with bytes, or with nothing [ev.ack-server ev.ack-binary]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      socket.on("bytes", (answer) => answer({ data: bytes(1, 2) }));
      socket.on("nothing", (answer) => answer());
      assert.deepEqual(await call(socket, "ask", "bytes", [], 5000), [{ answer: [{ data: bytes(1, 2) }] }]);
      assert.deepEqual(await call(socket, "ask", "nothing", [], 5000), [{ answer: [] }]);
    });

    test(`${over}: many questions at once each get their own answer`, async (t) => {
      const socket = await connected(t, await server(), { way });
      socket.on("question", async (n, answer) => {
        await pause(n % 5);
        answer(n);
      });
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => call(socket, "ask", "question", [n], 5000)));
      assert.deepEqual(answers, Array.from({ length: 50 }, (_, n) => [{ answer: [n] }]));
    });

    test(`${over}: data kept on a socket is that socket's alone`, async (t) => {
      const target = await server();
      const one = await connected(t, target, { way });
      const two = await connected(t, target, { way });
      assert.deepEqual(await call(one, "get"), [null]);
      await call(one, "set", { name: "one" });
      await call(two, "set", "two");
      assert.deepEqual(await call(one, "get"), [{ name: "one" }]);
      assert.deepEqual(await call(two, "get"), ["two"]);
    });

    test(`${over}: a server cannot emit an event with a reserved name [nsp.reserved]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
        assert.deepEqual(await call(socket, "reserved", name), ["refused"], name);
      }
      assert.deepEqual(await call(socket, "reserved", "anything else"), ["sent"]);
    });
  });

  group("Ack timeouts", () => {
    timed(`${over}: a client that never answers gives the server an error after the timeout [ack.late]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const start = performance.now();
      assert.deepEqual(await call(socket, "ask", "nobody listens", [], 200), [{ error: true }]);
      assertPassed(start, 200);
    });

    test(`${over}: an answer that comes too late is ignored [ack.late]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      let late;
      socket.on("question", (answer) => (late = answer));
      assert.deepEqual(await call(socket, "ask", "question", [], 100), [{ error: true }]);
      late("too late");
      assert.deepEqual(await call(socket, "echo", "still here"), ["still here"]);
    });

    test(`${over}: a client that waits for an answer with a timeout gets it in time, or an error [ack.in-time ack.late]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      assert.equal(await socket.timeout(5000).emitWithAck("echo", 1), 1);
      await assert.rejects(socket.timeout(100).emitWithAck("no such event"), /timed out/);
    });
  });

  group("Heartbeat, close, disconnect reasons", () => {
    test(`${over}: a client that disconnects is client namespace disconnect at the server [close.leaves]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      const left = call(bystander, "left", socket.id);
      socket.disconnect();
      assert.deepEqual(await left, [["client namespace disconnect"]]);
    });

    test(`${over}: a client whose transport closes is transport close at the server [close.by-client]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      if (way === "upgrade") await upgraded(socket);
      const left = call(bystander, "left", socket.id);
      socket.io.engine.close();
      assert.deepEqual(await left, [["transport close"]]);
    });

    timed(`${over}: a client that falls silent is ping timeout at the server [close.silent]`, async (t) => {
      const target = await server({ pingInterval: 200, pingTimeout: 200 });
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      if (way === "upgrade") await upgraded(socket);
      const left = call(bystander, "left", socket.id);
      const closed = event(socket, "disconnect");
      // From now on it sends nothing, and so answers no ping.
      socket.io.engine._sendPacket = () => {};
      assert.deepEqual(await left, [["ping timeout"]]);
      await closed;
    });

    test(`${over}: a socket that the server disconnects leaves its connection open [close.kicked]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      const { id } = socket;
      const other = socket.io.socket("/other");
      await event(other, "connect");
      const gone = event(socket, "disconnect");
      socket.emit("leave me", false);
      assert.equal((await gone)[0], "io server disconnect");
      assert.deepEqual(await call(bystander, "left", id), [["server namespace disconnect"]]);
      assert.deepEqual(await call(other, "echo", "still here"), ["still here"]);
    });

    test(`${over}: a connection that the server disconnects takes all its sockets with it [ev.close-all]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      const ids = [socket.id, other.id];
      const gone = [event(socket, "disconnect"), event(other, "disconnect"), event(socket.io, "close")];
      socket.emit("leave me", true);
      for (const [reason] of (await Promise.all(gone)).slice(0, 2)) assert.equal(reason, "io server disconnect");
      for (const id of ids) assert.deepEqual(await call(bystander, "left", id), [["server namespace disconnect"]]);
    });

    test(`${over}: a client may come back after it was disconnected, as a new socket`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const { id } = socket;
      const gone = event(socket, "disconnect");
      socket.emit("leave me", false);
      await gone;
      socket.connect();
      await event(socket, "connect");
      assert.notEqual(socket.id, id);
      assert.deepEqual(await call(socket, "echo", 1), [1]);
    });

    test(`${over}: disconnecting twice is disconnecting once`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      const { id } = socket;
      socket.emit("leave me", false);
      socket.emit("leave me", true);
      socket.disconnect();
      const [[, ...more]] = await call(bystander, "left", id);
      assert.deepEqual(more, []);
    });

    test(`${over}: many sockets that come and go each end once`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      for (let round = 0; round < 5; round += 1) {
        const sockets = await Promise.all(Array.from({ length: 20 }, () => connected(t, target, { way })));
        const ids = sockets.map((socket) => socket.id);
        for (const socket of sockets) socket.io._close();
        for (const id of ids) assert.equal((await call(bystander, "left", id))[0].length, 1);
      }
    });
  });
}
