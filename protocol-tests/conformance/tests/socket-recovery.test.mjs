// Connection state recovery with the official client: who was cut off comes back as the same socket, with what it has
// missed. The numbers are those of the issues that describe where npm's server falls short.

import assert from "node:assert/strict";
import { test } from "node:test";
import { call, client, collect, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { differs, server } from "../lib/target.mjs";
import { event, pause } from "../lib/wait.mjs";

const on = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };
const asking = { connectionStateRecovery: { maxDisconnectionDuration: 60_000, skipMiddlewares: false } };

/** A recovered client, one that is told what the first is to miss, and the events of the first, without their offsets. */
async function pair(t, options = on, { namespace = "/", auth, ...rest } = {}) {
  const url = await server(options);
  const sender = await connected(t, url, { namespace, auth });
  const socket = client(t, url, { namespace, auth, ...rest });
  const news = collect(socket, "news");
  await event(socket, "connect");
  return { url, sender, socket, news };
}

function emit(sender, value, target = {}) {
  return call(sender, "send", { from: "namespace", ...target }, "news", [value]);
}

/** The connection breaks, and the server has noticed. Returns the id that the socket had. */
async function cut(socket, sender) {
  const { id } = socket;
  socket.io.engine.close();
  await call(sender, "left", id);
  return id;
}

async function back(socket) {
  const here = event(socket, "connect");
  socket.connect();
  await here;
}

async function values(news, count) {
  const got = [];
  while (got.length < count) got.push((await news.take(`event ${got.length + 1}`))[0]);
  return got;
}

/** Nothing has come but what was taken. */
async function quiet(socket, news) {
  await call(socket, "echo");
  assert.equal(news.waiting, 0);
}

group("Connection state recovery", () => {
  test("off by default: no pid, and nothing is added to events [rec.off]", async (t) => {
    const { socket, sender, news } = await pair(t, {});
    await emit(sender, 1);
    assert.deepEqual(await news.take(), [1]);
    assert.equal(socket._pid, undefined);
    await cut(socket, sender);
    await back(socket);
    assert.ok(!socket.recovered);
  });

  for (const way of Object.keys(ways)) {
    test(`over ${way}: the same id, rooms and data, and what was missed, in order [rec.pid rec.offset rec.same rec.missed]`, async (t) => {
      const { socket, sender, news } = await pair(t, on, { way });
      assert.equal(typeof socket._pid, "string");
      assert.equal(socket.recovered, false);
      await call(socket, "join", ["a", "b"]);
      await call(socket, "set", { name: "somebody" });
      await emit(sender, 1);
      const [first, offset, ...more] = await news.take();
      assert.deepEqual([first, typeof offset, more], [1, "string", []]);
      const { _pid: pid } = socket;
      const id = await cut(socket, sender);
      await emit(sender, 2);
      await emit(sender, 3, { to: ["a"] });
      await emit(sender, 4, { to: ["c"] });
      await emit(sender, 5, { to: ["a", "b"] });
      await emit(sender, 6, { except: ["b"] });
      await emit(sender, 7, { to: [id] });
      await emit(sender, 8, { volatile: true });
      await emit(sender, "text", { from: "socket" });
      await back(socket);
      assert.equal(socket.recovered, true);
      assert.deepEqual([socket.id, socket._pid], [id, pid]);
      assert.deepEqual(await values(news, 5), [2, 3, 5, 7, "text"]);
      assert.deepEqual(await call(socket, "rooms"), [["a", "b", id].sort()]);
      assert.deepEqual(await call(socket, "get"), [{ name: "somebody" }]);
      assert.deepEqual(await call(socket, "recovered"), [true]);
      await emit(sender, 9, { to: ["b"] });
      assert.deepEqual(await values(news, 1), [9]);
      await quiet(socket, news);
    });
  }

  test("binary events come again whole", async (t) => {
    const { socket, sender, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    await emit(sender, { file: Buffer.from([1, 2, 3]) });
    await back(socket);
    assert.deepEqual(await values(news, 1), [{ file: Buffer.from([1, 2, 3]) }]);
  });

  test("what was missed comes around the reply to CONNECT [rec.missed]", async (t) => {
    const { socket, sender, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    await emit(sender, 2);
    const order = [];
    socket.on("connect", () => order.push("connect"));
    socket.on("news", () => order.push("news"));
    await back(socket);
    await values(news, 1);
    assert.deepEqual(order, differs({ reference: ["news", "connect"], ours: ["connect", "news"] }));
  });

  test("before any event was received (#5538)", async (t) => {
    const { socket, sender, news } = await pair(t);
    const id = await cut(socket, sender);
    await emit(sender, 1);
    await back(socket);
    assert.equal(socket.recovered, differs({ reference: false, ours: true }));
    assert.equal(socket.id === id, differs({ reference: false, ours: true }));
    assert.deepEqual(await values(news, differs({ reference: 0, ours: 1 })), differs({ reference: [], ours: [1] }));
    await quiet(socket, news);
  });

  test("after an event that is not kept and ends in a string (#5539)", async (t) => {
    // Between two polls, and while a client changes over, a volatile event may be dropped.
    const { socket, sender, news } = await pair(t, on, { way: "websocket" });
    await emit(sender, 1);
    await values(news, 1);
    await emit(sender, "not an offset", { volatile: true });
    await values(news, 1);
    await cut(socket, sender);
    await emit(sender, 2);
    await back(socket);
    assert.equal(socket.recovered, differs({ reference: false, ours: true }));
    assert.deepEqual(await values(news, differs({ reference: 0, ours: 1 })), differs({ reference: [], ours: [2] }));
    await quiet(socket, news);
  });

  test("after an event that is not kept and has no arguments, whose name ends it", async (t) => {
    // Between two polls, and while a client changes over, a volatile event may be dropped.
    const { socket, sender, news } = await pair(t, on, { way: "websocket" });
    await emit(sender, 1);
    await values(news, 1);
    const bare = event(socket, "bare");
    await call(sender, "send", { from: "namespace", volatile: true }, "bare", []);
    await bare;
    await cut(socket, sender);
    await back(socket);
    assert.equal(socket.recovered, differs({ reference: false, ours: true }));
  });

  test("an event with an acknowledgement that ends in a string does no harm", async (t) => {
    const { socket, sender, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    socket.on("question", (_text, answer) => answer("yes"));
    await call(socket, "ask", "question", ["not an offset"], 1000);
    await cut(socket, sender);
    await emit(sender, 2);
    await back(socket);
    assert.equal(socket.recovered, true);
    assert.deepEqual(await values(news, 1), [2]);
  });

  test("twice in a row, without an event between (#4880)", async (t) => {
    const { socket, sender, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    const id = await cut(socket, sender);
    await emit(sender, 2);
    await back(socket);
    assert.deepEqual(await values(news, 1), [2]);
    await cut(socket, sender);
    await back(socket);
    assert.equal(socket.recovered, true);
    await cut(socket, sender);
    await emit(sender, 3);
    await back(socket);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    assert.deepEqual(await values(news, 1), [3]);
    await quiet(socket, news);
  });

  test("an offset of the session before this one is none of this one", async (t) => {
    const { socket, sender, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    socket.disconnect();
    await emit(sender, 2);
    await back(socket);
    assert.equal(socket.recovered, false, "it has left");
    await cut(socket, sender);
    await emit(sender, 3);
    await back(socket);
    // npm's server takes the old offset at its word, and sends what was for the session before.
    assert.equal(socket.recovered, true);
    const expected = differs({ reference: [2, 3], ours: [3] });
    assert.deepEqual(await values(news, expected.length), expected);
    await quiet(socket, news);
  });

  test("with a slow middleware nothing is lost (#4888)", async (t) => {
    const auth = { token: "secret", wait: 300 };
    const { socket, sender, news } = await pair(t, asking, { namespace: "/guarded", auth });
    await emit(sender, 1);
    await values(news, 1);
    const id = await cut(socket, sender);
    await emit(sender, 2);
    const here = event(socket, "connect");
    socket.connect();
    await pause(150);
    await emit(sender, 3);
    await here;
    await emit(sender, 4);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    const expected = differs({ reference: [2, 4], ours: [2, 3, 4] });
    assert.deepEqual(await values(news, expected.length), expected);
  });

  test("nothing is sent again before the middlewares have agreed [rec.middleware]", async (t) => {
    const auth = { token: "secret" };
    const { socket, sender, news } = await pair(t, asking, { namespace: "/guarded", auth });
    await emit(sender, 1);
    await values(news, 1);
    const id = await cut(socket, sender);
    await emit(sender, 2);
    socket.auth = { token: "wrong" };
    const types = [];
    socket.io.on("packet", (packet) => types.push(packet.type));
    const refused = event(socket, "connect_error");
    socket.connect();
    assert.equal((await refused)[0].message, "not authorized");
    // 2 is an event, 4 a CONNECT_ERROR; the welcome to the first connection was missed as little as the event.
    assert.deepEqual(types, differs({ reference: [2, 4], ours: [4] }));
    socket.auth = auth;
    await back(socket);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    assert.deepEqual(await values(news, 1), [2]);
  });

  test("middlewares may be skipped, for who is recovered", async (t) => {
    const skipping = { connectionStateRecovery: { maxDisconnectionDuration: 60_000, skipMiddlewares: true } };
    const auth = { token: "secret" };
    const { socket, sender, news } = await pair(t, skipping, { namespace: "/guarded", auth });
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    socket.auth = { token: "wrong" };
    await back(socket);
    assert.equal(socket.recovered, true);
    await cut(socket, sender);
    socket._pid = "nobody knows this";
    const refused = event(socket, "connect_error");
    socket.connect();
    assert.equal((await refused)[0].message, "not authorized");
  });

  test("whether middlewares are skipped when nothing is said of it", async (t) => {
    const auth = { token: "secret" };
    const { socket, sender, news } = await pair(t, on, { namespace: "/guarded", auth });
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    socket.auth = { token: "wrong" };
    const skipped = new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("connect_error", () => resolve(false));
    });
    socket.connect();
    assert.equal(await skipped, differs({ reference: true, ours: false }));
  });

  for (const [what, leave] of [
    ["has left", (socket) => socket.disconnect()],
    ["was sent away", (socket) => socket.emit("leave me", false)],
    ["was sent away from the server", (socket) => socket.emit("leave me", true)],
  ]) {
    test(`who ${what} is not recovered`, async (t) => {
      const { socket, sender, news } = await pair(t);
      await emit(sender, 1);
      await values(news, 1);
      const { id } = socket;
      leave(socket);
      await call(sender, "left", id);
      await emit(sender, 2);
      if (socket.connected) await event(socket, "disconnect");
      await back(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
      await quiet(socket, news);
    });
  }

  test("a pid or an offset that nobody gave is answered with a new session [rec.unknown]", async (t) => {
    for (const change of [{ _pid: "0".repeat(20) }, { _pid: "x".repeat(5000) }, { _lastOffset: "garbage" }, { _lastOffset: { $ne: 1 } }]) {
      const { socket, sender, news } = await pair(t);
      await emit(sender, 1);
      await values(news, 1);
      const id = await cut(socket, sender);
      await emit(sender, 2);
      Object.assign(socket, change);
      await back(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
      await quiet(socket, news);
    }
  });

  test("a pid of another namespace is none", async (t) => {
    const { socket, sender, url, news } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    const other = client(t, url, { namespace: "/other" });
    Object.assign(other, { _pid: socket._pid, _lastOffset: socket._lastOffset });
    await event(other, "connect");
    assert.equal(other.recovered, false);
  });

  test("a connection that is dead unnoticed is taken over, and one socket stays", async (t) => {
    const { socket, sender, news, url } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    const { id } = socket;
    const twin = client(t, url);
    Object.assign(twin, { _pid: socket._pid, _lastOffset: socket._lastOffset });
    const its = collect(twin, "news");
    const ended = event(socket, "disconnect", 1000).then(() => true, () => false);
    await event(twin, "connect");
    const isTakenOver = differs({ reference: false, ours: true });
    assert.deepEqual([twin.recovered, twin.id === id], [isTakenOver, isTakenOver]);
    assert.equal(await ended, isTakenOver);
    await emit(sender, 2);
    assert.deepEqual(await values(its, 1), [2]);
  });

  test("a session is used by one connection, not by two", async (t) => {
    const { socket, sender, news, url } = await pair(t);
    await emit(sender, 1);
    await values(news, 1);
    const id = await cut(socket, sender);
    const twin = async () => {
      const one = client(t, url);
      Object.assign(one, { _pid: socket._pid, _lastOffset: socket._lastOffset });
      await event(one, "connect");
      assert.deepEqual([one.recovered, one.id], [true, id]);
      return one;
    };
    const first = await twin();
    const ended = event(first, "disconnect", 1000).then(() => true, () => false);
    const second = await twin();
    // With npm's server both stay, as one socket.
    assert.equal(await ended, differs({ reference: false, ours: true }));
    assert.ok(second.connected);
  });

  test("after the time that a client may be away it is a new session", async (t) => {
    const short = { connectionStateRecovery: { maxDisconnectionDuration: 100 } };
    const { socket, sender, news } = await pair(t, short);
    await emit(sender, 1);
    await values(news, 1);
    await cut(socket, sender);
    await pause(150);
    await back(socket);
    assert.equal(socket.recovered, false);
  });
});
