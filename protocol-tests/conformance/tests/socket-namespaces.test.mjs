// Namespaces, middleware and what a client says about itself when it connects.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, client, collect, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { carriers } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { event, settle } from "../lib/wait.mjs";

let tags = 0;
/** A name by which the server can say how often a client's connection handler ran. */
const newTag = () => `${process.pid}-${(tags += 1)}`;

for (const way of Object.keys(ways)) {
  const over = `over ${way}`;

  group("Namespaces", () => {
    test(`${over}: several namespaces share one connection and keep apart [nsp.many]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      assert.notEqual(socket.id, other.id);
      const strays = collect(socket, "echo");
      other.emit("echo", "for the other");
      assert.deepEqual(await event(other, "echo"), ["for the other"]);
      assert.deepEqual(await call(socket, "echo", 1), [1]);
      assert.equal(strays.waiting, 0);
    });

    test(`${over}: an unknown namespace is refused with Invalid namespace, and the others stay [nsp.unknown]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const unknown = socket.io.socket("/nowhere");
      const [error] = await event(unknown, "connect_error");
      assert.equal(error.message, "Invalid namespace");
      assert.equal(error.data, undefined);
      assert.equal(unknown.connected, false);
      assert.deepEqual(await call(socket, "echo", 1), [1]);
    });

    test(`${over}: the main namespace is not joined by joining another [nsp.main]`, async (t) => {
      const target = await server();
      const tag = newTag();
      const other = await connected(t, target, { way, namespace: "/other", auth: { tag } });
      assert.deepEqual(await call(other, "seen", tag), [1]);
    });

    test(`${over}: leaving a namespace and joining it again makes a new socket [nsp.again]`, async (t) => {
      const target = await server();
      const socket = await connected(t, target, { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      const { id } = other;
      other.disconnect();
      assert.deepEqual(await call(socket, "left", id), [["client namespace disconnect"]]);
      other.connect();
      await event(other, "connect");
      assert.notEqual(other.id, id);
      assert.deepEqual(await call(other, "echo", 1), [1]);
    });

    test(`${over}: when the transport closes, the sockets of all namespaces go [nsp.fan-out]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      const ids = [socket.id, other.id];
      socket.io._close();
      for (const id of ids) assert.match((await call(bystander, "left", id))[0][0], /^(transport close|client namespace disconnect)$/);
    });
  });

  group("Middleware", () => {
    test(`${over}: middlewares run in order, also when one waits, and the connection handler comes after them [mw.order mw.before]`, async (t) => {
      const socket = client(t, await server(), { way, namespace: "/guarded", auth: { token: "secret", wait: 50 } });
      assert.deepEqual(await event(socket, "welcome"), [["first", "second"]]);
      assert.deepEqual(await call(socket, "echo", 1), [1]);
    });

    test(`${over}: a refusal becomes connect_error with its message and data, and no connection [mw.refuses]`, async (t) => {
      const target = await server();
      const tag = newTag();
      const socket = client(t, target, { way, namespace: "/guarded", auth: { token: "wrong", tag } });
      const [error] = await event(socket, "connect_error");
      assert.equal(error.message, "not authorized");
      assert.deepEqual(error.data, { reason: "bad token" });
      assert.equal(socket.connected, false);
      const bystander = await connected(t, target);
      assert.deepEqual(await call(bystander, "seen", tag), [0]);
    });

    test(`${over}: a refusal without data has none`, async (t) => {
      const socket = client(t, await server(), { way, namespace: "/guarded", auth: { plain: true } });
      const [error] = await event(socket, "connect_error");
      assert.equal(error.message, "go away");
      assert.equal(error.data, undefined);
    });

    test(`${over}: a client that was refused may try again with better auth`, async (t) => {
      const socket = client(t, await server(), { way, namespace: "/guarded", auth: { token: "wrong" } });
      await event(socket, "connect_error");
      socket.auth = { token: "secret" };
      socket.connect();
      await event(socket, "connect");
      assert.deepEqual(await call(socket, "echo", 1), [1]);
    });

    test(`${over}: other namespaces work while a middleware waits [mw.namespace]`, async (t) => {
      const socket = await connected(t, await server(), { way });
      const guarded = socket.io.socket("/guarded", { auth: { token: "secret", wait: 300 } });
      assert.deepEqual(await call(socket, "echo", 1), [1]);
      assert.equal(guarded.connected, false);
      await event(guarded, "connect");
    });

    test(`${over}: a client that leaves while a middleware waits never connects [mw.gone]`, async (t) => {
      const target = await server();
      const tag = newTag();
      const bystander = await connected(t, target);
      const socket = await connected(t, target, { way });
      socket.io.socket("/guarded", { auth: { token: "secret", wait: 200, tag } });
      await settle();
      const left = call(bystander, "left", socket.id);
      socket.io._close();
      await left;
      // The middleware has gone on by the time that one which began later has.
      const later = client(t, target, { way, namespace: "/guarded", auth: { token: "secret", wait: 300 } });
      await event(later, "connect");
      assert.deepEqual(await call(bystander, "seen", tag), [0]);
    });

    test(`${over}: the events a client sends while it waits for its connection arrive after it`, async (t) => {
      const socket = client(t, await server(), { way, namespace: "/guarded", auth: { token: "secret", wait: 50 } });
      assert.deepEqual(await call(socket, "echo", "buffered"), ["buffered"]);
    });
  });

  group("Handshake object", () => {
    test(`${over}: the server has the auth of each namespace as the client sent it [hso.auth hso.later]`, async (t) => {
      const auth = { token: "é", nested: { list: [1, null] } };
      const socket = await connected(t, await server(), { way, auth });
      assert.deepEqual(await call(socket, "auth"), [auth]);
      const other = socket.io.socket("/other", { auth: { other: true } });
      await event(other, "connect");
      assert.deepEqual(await call(other, "auth"), [{ other: true }]);
    });

    test(`${over}: no auth is an empty one`, async (t) => {
      const socket = await connected(t, await server(), { way });
      assert.deepEqual(await call(socket, "auth"), [{}]);
    });

    test(`${over}: auth may come from a function`, async (t) => {
      const socket = await connected(t, await server(), { way, auth: (send) => send({ from: "a function" }) });
      assert.deepEqual(await call(socket, "auth"), [{ from: "a function" }]);
    });
  });
}

for (const Carrier of carriers) {
  const over = `over ${Carrier.transport}`;

  group("Namespaces", () => {
    test(`${over}: two CONNECTs to one namespace in one go never make two sockets [nsp.once]`, async (t) => {
      const target = await server();
      const tag = newTag();
      const bystander = await connected(t, target);
      const raw = await PacketClient.open(Carrier, target);
      const connect = `0${JSON.stringify({ tag })}`;
      await raw.send(connect, connect).catch(() => {});
      // The reference does, when the second comes before the first is accepted.
      await differs({
        reference: async () => assert.match(await raw.next(), /^0\{"sid":/),
        ours: async () => {
          await raw.ended();
          assert.ok((await call(bystander, "seen", tag))[0] <= 1);
        },
      })();
      await raw.leave();
    });

    test(`${over}: a second CONNECT while the first waits in a middleware makes no second socket`, async (t) => {
      const target = await server();
      const tag = newTag();
      const bystander = await connected(t, target);
      const auth = JSON.stringify({ token: "secret", wait: 100, tag });
      const raw = await PacketClient.open(Carrier, target);
      await raw.send(`0/guarded,${auth}`).catch(() => {});
      await raw.send(`0/guarded,${auth}`).catch(() => {});
      const later = client(t, target, { namespace: "/guarded", auth: { token: "secret", wait: 300 } });
      await event(later, "connect");
      // As above: the reference has two sockets then.
      const [seen] = await call(bystander, "seen", tag);
      differs({ reference: () => assert.equal(seen, 2), ours: () => assert.ok(seen <= 1, `${seen} sockets`) })();
      await raw.leave();
    });

    test(`${over}: the empty name is the main namespace`, async () => {
      const raw = await PacketClient.open(Carrier, await server());
      await raw.send("0/,");
      assert.match(await raw.next(), /^0\{"sid":/);
      await raw.echoes();
      await raw.leave();
    });

    test(`${over}: a name is taken as it stands: case, blanks and slashes count`, async () => {
      const raw = await PacketClient.open(Carrier, await server());
      for (const name of ["/Other", "/other ", "//other", "/other/", "/é", "/__proto__", "/constructor"]) {
        await raw.send(`0${name},`);
        assert.equal(await raw.next(), `4${name},{"message":"Invalid namespace"}`);
      }
      await raw.connect("/other");
      await raw.echoes("/other");
      await raw.leave();
    });
  });

  group("Middleware", () => {
    test(`${over}: a refusal is a CONNECT_ERROR with message and data [mw.refuses]`, async () => {
      const raw = await PacketClient.open(Carrier, await server());
      await raw.send('0/guarded,{"token":"wrong"}');
      assert.equal(await raw.next(), '4/guarded,{"message":"not authorized","data":{"reason":"bad token"}}');
      await raw.send('0/guarded,{"plain":true}');
      assert.equal(await raw.next(), '4/guarded,{"message":"go away"}');
      await raw.leave();
    });

    test(`${over}: an event for a namespace whose middleware still waits closes the session`, async () => {
      const raw = await PacketClient.open(Carrier, await server());
      await raw.send('0/guarded,{"token":"secret","wait":200}');
      await raw.send('2/guarded,["echo",1]').catch(() => {});
      assert.deepEqual(await raw.ended(), []);
    });
  });
}
