// Socket.IO: namespaces that clients bring about, by a pattern or a predicate that may wait, and what becomes of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, client, collect, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { differs, server } from "../lib/target.mjs";
import { event } from "../lib/wait.mjs";

let last = 0;
const fresh = (family) => `/${family}-${process.pid}-${(last += 1)}`;

/** The label of the parent that a new child has got. */
async function parentOf(socket) {
  const [label] = await event(socket, "parent");
  return label;
}

/** How often a namespace of this name was made. */
async function made(observer, name) {
  const [names] = await call(observer, "made", name);
  return names.filter((one) => one === name).length;
}

/** Leaves, and returns when the server knows. */
async function leave(observer, socket) {
  const left = call(observer, "left", socket.id);
  socket.disconnect();
  await left;
}

for (const way of Object.keys(ways)) {
  const over = `the official client over ${way}`;

  group("Dynamic namespaces", () => {
    test(`${over}: a name that matches brings about a namespace, of which the application is told [dyn.pattern dyn.told nsp.new]`, async (t) => {
      const target = await server();
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      const socket = client(t, target, { way, namespace: name });
      const parent = parentOf(socket);
      await event(socket, "connect");
      assert.equal(await parent, "dynamic");
      assert.deepEqual(await call(socket, "echo", 1, Buffer.of(2)), [1, Buffer.of(2)]);
      assert.equal(await made(observer, name), 1);
    });

    test(`${over}: a predicate may wait, and sees the auth [dyn.async]`, async (t) => {
      const target = await server();
      const name = fresh("async");
      const refused = client(t, target, { way, namespace: name, auth: { allow: false } });
      assert.equal((await event(refused, "connect_error"))[0].message, "Invalid namespace");
      const socket = client(t, target, { way, namespace: name, auth: { allow: true } });
      const parent = parentOf(socket);
      await event(socket, "connect");
      assert.equal(await parent, "async");
    });

    test(`${over}: of several parents that accept a name the first one counts [dyn.first]`, async (t) => {
      const target = await server();
      for (const [family, label] of [["dynamic", "dynamic"], ["different", "any d"]]) {
        const socket = client(t, target, { way, namespace: fresh(family) });
        assert.equal(await parentOf(socket), label);
      }
    });

    test(`${over}: a name that no parent accepts is refused [dyn.refused]`, async (t) => {
      const socket = client(t, await server(), { way, namespace: fresh("unlike") });
      assert.equal((await event(socket, "connect_error"))[0].message, "Invalid namespace");
    });

    test(`${over}: what the parent emits reaches all children, and the rooms of all [dyn.broadcast dyn.room]`, async (t) => {
      const target = await server();
      const children = [];
      for (let i = 0; i < 3; i += 1) children.push(await connected(t, target, { way, namespace: fresh("dynamic") }));
      const [one, two, three] = children;
      const room = fresh("room");
      await call(one, "join", [room]);
      await call(two, "join", [room]);
      const inboxes = children.map((socket) => collect(socket, "news"));
      const others = await connected(t, target, { way });
      const elsewhere = collect(others, "news");
      await call(one, "send", { from: "namespace" }, "news", ["all"]);
      await call(one, "send", { from: "namespace", to: [room] }, "news", ["room"]);
      await call(one, "send", { from: "namespace" }, "news", ["end"]);
      const expected = [["all", "room", "end"], ["all", "room", "end"], ["all", "end"]];
      for (const [i, inbox] of inboxes.entries()) for (const news of expected[i]) assert.deepEqual(await inbox.take(), [news]);
      await call(others, "echo");
      assert.equal(elsewhere.waiting, 0);
      await call(three, "echo");
      assert.equal(inboxes[2].waiting, 0);
    });

    test(`${over}: clients that come first at the same time share one child [dyn.concurrent]`, async (t) => {
      const target = await server();
      const observer = await connected(t, target, { way });
      for (const family of ["dynamic", "async"]) {
        const name = fresh(family);
        const clients = Array.from({ length: 5 }, () => client(t, target, { way, namespace: name, auth: { allow: true } }));
        await Promise.all(clients.map((socket) => event(socket, "connect")));
        assert.equal(await made(observer, name), 1);
        const inboxes = clients.map((socket) => collect(socket, "news"));
        await call(clients[0], "send", { from: "socket" }, "news", []);
        for (const inbox of inboxes.slice(1)) assert.deepEqual(await inbox.take(), []);
      }
    });

    test(`${over}: with clean-up a child goes with its last socket, not before, and may come again [dyn.clean-leave dyn.clean-others dyn.again]`, async (t) => {
      const target = await server({ cleanup: true });
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      const one = await connected(t, target, { way, namespace: name });
      const two = await connected(t, target, { way, namespace: name });
      await leave(observer, one);
      await connected(t, target, { way, namespace: name }).then((socket) => leave(observer, socket));
      assert.equal(await made(observer, name), 1);
      await leave(observer, two);
      const again = client(t, target, { way, namespace: name });
      const parent = parentOf(again);
      await event(again, "connect");
      assert.equal(await parent, "dynamic");
      assert.equal(await made(observer, name), 2);
      const news = collect(again, "news");
      await call(again, "send", { from: "namespace" }, "news", ["from the parent"]);
      assert.deepEqual(await news.take(), ["from the parent"]);
    });

    test(`${over}: with clean-up a child goes when its transport does [dyn.clean-leave]`, async (t) => {
      const target = await server({ cleanup: true });
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      const socket = await connected(t, target, { way, namespace: name });
      const left = call(observer, "left", socket.id);
      socket.io.engine.close();
      await left;
      await connected(t, target, { way, namespace: name });
      assert.equal(await made(observer, name), 2);
    });

    test(`${over}: with clean-up a child goes whose only client is refused [dyn.clean-refused]`, async (t) => {
      const target = await server({ cleanup: true });
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      for (const times of [1, 2]) {
        const socket = client(t, target, { way, namespace: name, auth: { refuse: true } });
        assert.equal((await event(socket, "connect_error"))[0].message, "refused");
        assert.equal(await made(observer, name), times);
      }
    });

    test(`${over}: without clean-up a child stays [dyn.no-clean]`, async (t) => {
      const target = await server({ cleanup: false });
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      await connected(t, target, { way, namespace: name }).then((socket) => leave(observer, socket));
      await connected(t, target, { way, namespace: name });
      assert.equal(await made(observer, name), 1);
    });

    test(`${over}: a namespace made by hand is a child of its parent [dyn.by-hand]`, async (t) => {
      const target = await server({ cleanup: true });
      const observer = await connected(t, target, { way });
      const name = fresh("dynamic");
      await call(observer, "make", name);
      const socket = client(t, target, { way, namespace: name });
      const parent = parentOf(socket);
      await event(socket, "connect");
      assert.equal(await parent, "dynamic");
      const other = await connected(t, target, { way, namespace: fresh("dynamic") });
      const news = collect(socket, "news");
      await call(other, "send", { from: "namespace" }, "news", []);
      assert.deepEqual(await news.take(), []);
      assert.equal(await made(observer, name), 1);
    });
  });
}

group("Dynamic namespaces", () => {
  test("whether there is clean-up unless it is configured [dyn.clean-leave]", async (t) => {
    const target = await server();
    const observer = await connected(t, target);
    const name = fresh("dynamic");
    await connected(t, target, { namespace: name }).then((socket) => leave(observer, socket));
    await connected(t, target, { namespace: name });
    assert.equal(await made(observer, name), differs({ reference: 1, ours: 2 }));
  });
});
