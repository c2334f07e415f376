// Socket.IO: what a server does with many sockets at once, what it knows of rooms, and what of a client's request.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, client, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { carriers } from "../lib/sessions.mjs";
import { ownServer, server } from "../lib/target.mjs";
import { event } from "../lib/wait.mjs";

let last = 0;
const fresh = (what) => `${what} ${process.pid} ${(last += 1)}`;

const all = { from: "namespace" };
const only = (...rooms) => ({ from: "namespace", to: rooms });

/** The ids of the sockets that a target means. */
async function ids(socket, target) {
  const [found] = await call(socket, "sockets", target);
  return found.map(({ id }) => id);
}

const sorted = (...sockets) => sockets.map(({ id }) => id).sort();

for (const way of Object.keys(ways)) {
  const over = `the official client over ${way}`;
  const join = async (target, ...rooms) => {
    const socket = await connected(target.t, target.server, { way, namespace: target.namespace });
    if (rooms.length > 0) await call(socket, "join", rooms);
    return socket;
  };

  group("Utility methods", () => {
    test(`${over}: the sockets of a namespace are fetched with their rooms, and may be made to join, leave and disconnect [util.fetch util.join util.leave util.disconnect nsp.ids]`, async (t) => {
      const target = { t, server: await ownServer(t) };
      const one = await join(target, "a", "b");
      const two = await join(target, "b");
      const three = await join(target);
      const elsewhere = await join({ ...target, namespace: "/other" }, "b");
      const [found] = await call(one, "sockets", all);
      assert.deepEqual(found, [[one, "a", "b"], [two, "b"], [three]].map(([{ id }, ...rooms]) => ({ id, rooms: [...rooms, id].sort() })).sort((x, y) => (x.id < y.id ? -1 : 1)));
      await call(one, "sockets join", all, ["c", "d"]);
      assert.deepEqual(await ids(one, only("c")), sorted(one, two, three));
      await call(one, "sockets leave", all, "c");
      assert.deepEqual(await ids(one, only("c")), []);
      assert.deepEqual(await ids(one, only("d")), sorted(one, two, three));
      const gone = [two, three].map((socket) => event(socket, "disconnect"));
      await call(one, "disconnect sockets", { from: "socket" }, false);
      for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
      assert.deepEqual(await ids(one, all), [one.id]);
      assert.deepEqual(await call(elsewhere, "rooms"), [["b", elsewhere.id].sort()]);
    });

    test(`${over}: the sockets of a room are fetched, and may be made to join, leave and disconnect [util.fetch util.join util.leave util.disconnect]`, async (t) => {
      const target = { t, server: await server() };
      const [room, other, more] = [fresh("room"), fresh("other"), fresh("more")];
      const one = await join(target, room);
      const two = await join(target, room, other);
      const three = await join(target, other);
      assert.deepEqual(await ids(one, only(room)), sorted(one, two));
      await call(one, "sockets join", only(room), [more]);
      assert.deepEqual(await ids(one, only(more)), sorted(one, two));
      await call(one, "sockets leave", only(other), more);
      assert.deepEqual(await ids(one, only(more)), sorted(one));
      const gone = [two, three].map((socket) => event(socket, "disconnect"));
      await call(one, "disconnect sockets", only(other), false);
      await Promise.all(gone);
      assert.deepEqual(await ids(one, only(room, other)), sorted(one));
    });

    test(`${over}: disconnecting may close the connection with all its namespaces [util.disconnect]`, async (t) => {
      const target = { t, server: await server() };
      const room = fresh("room");
      const socket = await join(target, room);
      const second = socket.io.socket("/other");
      await event(second, "connect");
      const observer = await join(target);
      const gone = [socket, second].map((one) => event(one, "disconnect"));
      await call(observer, "disconnect sockets", only(room), true);
      await Promise.all(gone);
      assert.notEqual(socket.io.engine.readyState, "open");
    });
  });

  group("Namespaces", () => {
    test(`${over}: ids can be asked for by room, over several rooms, and without some [nsp.ids-room]`, async (t) => {
      const target = { t, server: await server() };
      const [a, b] = [fresh("a"), fresh("b")];
      const one = await join(target, a);
      const two = await join(target, a, b);
      const three = await join(target, b);
      assert.deepEqual(await ids(one, only(a)), sorted(one, two));
      assert.deepEqual(await ids(one, only(a, b)), sorted(one, two, three));
      assert.deepEqual(await ids(one, { ...only(a, b), except: [a] }), sorted(three));
      assert.deepEqual(await ids(one, only(two.id)), sorted(two));
      assert.deepEqual(await ids(one, only(fresh("nobody"))), []);
    });

    test(`${over}: a socket that is disconnecting is in its rooms, and one that has disconnected in none [nsp.disconnecting]`, async (t) => {
      const target = { t, server: await server() };
      const observer = await join(target);
      const rooms = [fresh("a"), fresh("b")];
      for (const end of [(socket) => socket.disconnect(), (socket) => socket.io.engine.close(), (socket) => socket.emit("leave me", false)]) {
        const socket = await join(target, ...rooms);
        const { id } = socket;
        const left = call(observer, "left", id);
        end(socket);
        await left;
        assert.deepEqual(await call(observer, "rooms left", id), [rooms, []]);
      }
      assert.deepEqual(await ids(observer, only(...rooms)), []);
    });

    test(`${over}: a namespace made without its slash is the one with it [nsp.slash]`, async (t) => {
      const target = { t, server: await server() };
      const observer = await join(target);
      const name = `made-${process.pid}-${(last += 1)}`;
      for (const one of [name, `/${name}`, name]) await call(observer, "make", one);
      assert.deepEqual(await call(observer, "made", `/${name}`), [[`/${name}`]]);
      await join({ ...target, namespace: `/${name}` });
    });

    test(`${over}: the connection handler is called once for each socket of its namespace [nsp.connection nsp.many-sockets]`, async (t) => {
      const target = await server();
      const tag = fresh("tag");
      const sockets = await Promise.all(Array.from({ length: 5 }, () => connected(t, target, { way, auth: { tag } })));
      await connected(t, target, { way, namespace: "/other" });
      assert.equal(new Set(sockets.map(({ id }) => id)).size, 5);
      assert.deepEqual(await call(sockets[0], "seen", tag), [5]);
    });
  });

  group("Middleware", () => {
    test(`${over}: a socket counts as connected after its middlewares, not before [mw.not-yet]`, async (t) => {
      const socket = client(t, await server(), { way, namespace: "/joining" });
      assert.deepEqual(await event(socket, "connected"), [false, true]);
    });

    test(`${over}: rooms joined in a middleware are left when it refuses [mw.rooms]`, async (t) => {
      const target = await ownServer(t);
      const refused = client(t, target, { way, namespace: "/joining", auth: { refuse: true } });
      assert.equal((await event(refused, "connect_error"))[0].message, "refused");
      const socket = await connected(t, target, { way, namespace: "/joining" });
      assert.deepEqual(await ids(socket, only("in the chain")), [socket.id]);
    });

    test(`${over}: the middlewares of one namespace do not concern another [mw.namespace]`, async (t) => {
      const target = await server();
      const refused = client(t, target, { way, namespace: "/guarded" });
      const other = refused.io.socket("/other");
      await Promise.all([event(refused, "connect_error"), event(other, "connect")]);
      assert.deepEqual(await call(other, "echo", 1), [1]);
    });
  });

  group("Handshake object", () => {
    test(`${over}: it has query, headers, address, url and time of the request [hso.headers hso.query hso.request]`, async (t) => {
      const socket = await connected(t, await server(), { way, query: { x: "ä b&c", n: 1 }, extraHeaders: { "X-Test": "header" } });
      const [seen] = await call(socket, "handshake", ["x", "n", "EIO", "none"], ["x-test", "none"]);
      const { url, age, ...rest } = seen;
      assert.deepEqual(rest, { query: ["ä b&c", "1", "4", null], headers: ["header", null], auth: {}, address: "127.0.0.1", secure: false });
      assert.match(url, /^\/socket\.io\/\?.*transport=/);
      assert.ok(age >= 0 && age < 60_000, `an age of ${age} ms`);
    });

    test(`${over}: a namespace that is joined later has the same query, and an auth of its own [hso.later hso.auth]`, async (t) => {
      const first = await connected(t, await server(), { way, query: { x: "1" }, auth: { who: "first" } });
      const later = first.io.socket("/other", { auth: { who: "later" } });
      await event(later, "connect");
      for (const [socket, who] of [[first, "first"], [later, "later"]]) {
        const [{ query, auth }] = await call(socket, "handshake", ["x"], []);
        assert.deepEqual([query, auth], [["1"], { who }]);
      }
    });
  });

  group("Adapter", () => {
    test(`${over}: the application is told when a room is made, joined, left and deleted [adapter.events room.empty]`, async (t) => {
      const target = { t, server: await server() };
      const observer = await join(target);
      const room = fresh("room");
      const one = await join(target, room);
      await call(one, "join", [room]);
      const two = await join(target, room);
      await call(one, "leave", room);
      await call(one, "leave", room);
      const left = call(observer, "left", two.id);
      const { id } = two;
      two.disconnect();
      await left;
      const expected = ["create", `join ${one.id}`, `join ${id}`, `leave ${one.id}`, `leave ${id}`, "delete"];
      assert.deepEqual(await call(observer, "room events", room), [expected]);
      assert.deepEqual(await ids(observer, only(room)), []);
    });
  });
}

for (const Carrier of carriers) {
  group("Namespaces", () => {
    test(`over ${Carrier.transport} a second CONNECT to a namespace makes no second socket [nsp.once]`, async (t) => {
      const target = await server();
      const tag = fresh("tag");
      const one = await PacketClient.join(Carrier, target, "/other", { tag });
      await one.send(`0/other,${JSON.stringify({ tag })}`);
      await one.ended();
      const observer = await connected(t, target);
      assert.deepEqual(await call(observer, "seen", tag), [1]);
    });
  });

  group("Events, acks, binary", () => {
    test(`over ${Carrier.transport} a server that disconnects a connection ends the sockets of all its namespaces [ev.close-all]`, async (t) => {
      const target = await server();
      const observer = await connected(t, target);
      const one = await PacketClient.join(Carrier, target);
      const two = await one.connect("/other");
      await one.send('2["leave me",true]');
      const before = await one.ended();
      for (const name of before) assert.match(name, /^1(\/other,)?$/);
      for (const id of [one.id, two]) assert.deepEqual(await call(observer, "left", id), [["server namespace disconnect"]]);
    });
  });
}
