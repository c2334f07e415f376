// Socket.IO: handlers that belong to one socket, for one event, for every event and for what goes out, and packet middlewares.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { server } from "../lib/target.mjs";

/** Puts handlers on the client's socket at the server: pairs of kind and label, for the event `test`. */
async function listen(socket, ...handlers) {
  for (const [kind, label, name = "test"] of handlers) await call(socket, "listen", kind, name, label);
}

async function heard(socket) {
  const [notes] = await call(socket, "heard");
  return notes;
}

for (const way of Object.keys(ways)) {
  const over = `the official client over ${way}`;

  group("Events, acks, binary", () => {
    test(`${over}: several handlers of one event are called in their order, until they are taken off [ev.once]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await listen(socket, ["on", "a"], ["on", "b"], ["on", "c"]);
      socket.emit("test", 1, "x");
      assert.deepEqual(await heard(socket), [["a", "test", 1, "x"], ["b", "test", 1, "x"], ["c", "test", 1, "x"]]);
      await call(socket, "unlisten", "b");
      socket.emit("test", 2);
      assert.deepEqual(await heard(socket), [["a", "test", 2], ["c", "test", 2]]);
      await call(socket, "unlisten all", "on", "test");
      socket.emit("test", 3);
      assert.deepEqual(await heard(socket), []);
    });

    test(`${over}: a handler for one event only is called once [ev.once]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await listen(socket, ["once", "once"], ["once", "off"]);
      await call(socket, "unlisten", "off");
      socket.emit("test", 1);
      socket.emit("test", 2);
      assert.deepEqual(await heard(socket), [["once", "test", 1]]);
    });

    test(`${over}: handlers of one socket are not those of another [ev.once]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const other = await connected(t, await server(), { way });
      await listen(socket, ["on", "a"], ["any", "b"]);
      other.emit("test", 1);
      assert.deepEqual(await heard(other), []);
      assert.deepEqual(await heard(socket), []);
    });

    test(`${over}: handlers of every event are called first, in their order, prepended ones before [ev.any]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await listen(socket, ["on", "one"], ["any", "a"], ["any", "b"], ["prepend any", "c"]);
      socket.emit("test", 1, [2]);
      assert.deepEqual(await heard(socket), [
        ["c", "test", 1, [2]],
        ["a", "test", 1, [2]],
        ["b", "test", 1, [2]],
        ["one", "test", 1, [2]],
      ]);
      socket.emit("test unheard", { x: null });
      assert.deepEqual(await heard(socket), [
        ["c", "test unheard", { x: null }],
        ["a", "test unheard", { x: null }],
        ["b", "test unheard", { x: null }],
      ]);
    });

    test(`${over}: handlers of every event are removed, one and all [ev.any]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await listen(socket, ["any", "a"], ["any", "b"], ["any", "c"]);
      await call(socket, "unlisten", "b");
      socket.emit("test");
      assert.deepEqual(await heard(socket), [["a", "test"], ["c", "test"]]);
      await call(socket, "unlisten all", "any", "");
      socket.emit("test");
      assert.deepEqual(await heard(socket), []);
    });

    test(`${over}: handlers of every outgoing event see emits and broadcasts, in their order, until removed [ev.any-outgoing]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await call(socket, "join", ["outgoing"]);
      await listen(socket, ["outgoing", "a"], ["outgoing", "b"], ["prepend outgoing", "c"]);
      await call(socket, "ask", "test asked", [7], 1).catch(() => {});
      const to = { from: "namespace", to: ["outgoing"] };
      await call(socket, "send", to, "test sent", [1, "x"]);
      assert.deepEqual(await heard(socket), [
        ["c", "test asked", 7],
        ["a", "test asked", 7],
        ["b", "test asked", 7],
        ["c", "test sent", 1, "x"],
        ["a", "test sent", 1, "x"],
        ["b", "test sent", 1, "x"],
      ]);
      await call(socket, "unlisten", "a");
      await call(socket, "send", to, "test sent", []);
      assert.deepEqual(await heard(socket), [["c", "test sent"], ["b", "test sent"]]);
      await call(socket, "unlisten all", "outgoing", "");
      await call(socket, "send", to, "test sent", []);
      assert.deepEqual(await heard(socket), []);
    });

    test(`${over}: an answer can be awaited [ev.promise ack.promise]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      assert.equal(await socket.emitWithAck("echo", "x"), "x");
      assert.equal(await socket.timeout(5000).emitWithAck("echo", "y"), "y");
      await assert.rejects(socket.timeout(1).emitWithAck("nobody answers this"), /timed out/);
    });
  });

  group("Middleware", () => {
    test(`${over}: packet middlewares see each event in their order, and let it pass [mw.packet]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await call(socket, "use", "a");
      await call(socket, "use", "b");
      await listen(socket, ["on", "handler"], ["any", "any"]);
      socket.emit("test", 1);
      assert.deepEqual(await heard(socket), [["any", "test", 1], ["a", "test", 1], ["b", "test", 1], ["handler", "test", 1]]);
    });

    test(`${over}: a packet middleware drops an event with an error, of which the socket is told [mw.packet-drops]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      await call(socket, "use", "a");
      await listen(socket, ["on", "handler", "test refused"]);
      socket.emit("test refused", 1);
      assert.deepEqual(await heard(socket), [["a", "test refused", 1], ["error", "refused by a"]]);
      assert.deepEqual(await call(socket, "echo", "still here"), ["still here"]);
    });
  });
}
