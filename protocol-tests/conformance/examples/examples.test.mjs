// Each example program does what it says, when the official client uses it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket as Engine } from "engine.io-client";
import { call, client, collect, connected, upgraded } from "../lib/client.mjs";
import { example } from "../lib/examples.mjs";
import { group } from "../lib/groups.mjs";
import { event, pause, within } from "../lib/wait.mjs";

group("Examples", () => {
  test("echo: an event comes back, or is the answer", async (t) => {
    const server = await example(t, "echo");
    const socket = await connected(t, server);
    const back = event(socket, "hello");
    socket.emit("hello", 1, { a: [null] }, Buffer.from([1, 2]));
    assert.deepEqual(await back, [1, { a: [null] }, Buffer.from([1, 2])]);
    assert.deepEqual(await call(socket, "any name", "x"), ["x"]);
    await upgraded(socket);
    assert.deepEqual(await call(socket, "any name"), []);
  });

  test("rooms: who is in a room hears what is said there, and who comes and goes", async (t) => {
    const server = await example(t, "rooms");
    const [ada, bob, eve] = await Promise.all([1, 2, 3].map(() => connected(t, server)));
    const [joined, said, left] = ["joined", "said", "left"].map((name) => collect(ada, name));
    const overheard = collect(eve, "said");
    await call(ada, "join", "tea");
    await call(bob, "join", "tea");
    assert.deepEqual(await joined.take(), [bob.id]);
    const [ids] = await call(eve, "who", "tea");
    assert.deepEqual(ids.toSorted(), [ada.id, bob.id].toSorted());
    bob.emit("say", "tea", "hello");
    assert.deepEqual(await said.take(), [bob.id, "hello"]);
    const bobsId = bob.id;
    await call(bob, "leave", "tea");
    assert.deepEqual(await left.take(), [bobsId]);
    await call(bob, "join", "tea");
    bob.disconnect();
    assert.deepEqual(await left.take(), [bobsId]);
    assert.deepEqual(await call(eve, "who", "tea"), [[ada.id]]);
    assert.equal(overheard.waiting, 0);
  });

  test("recovery: who was cut off is who it was, and hears what was said meanwhile", async (t) => {
    const server = await example(t, "recovery");
    const [ada, bob] = [client(t, server), client(t, server)];
    const [asked, back, said] = ["who are you?", "welcome back", "said"].map((name) => collect(ada, name));
    await asked.take();
    await call(ada, "sign in", "ada");
    await call(bob, "sign in", "bob");
    const { id } = ada;
    ada.io.engine.close();
    bob.emit("say", "hello");
    const here = event(ada, "connect");
    ada.connect();
    await here;
    assert.deepEqual([ada.recovered, ada.id], [true, id]);
    assert.deepEqual((await said.take()).slice(0, 2), ["bob", "hello"]);
    assert.equal((await back.take())[0], "ada");
    bob.emit("say", "there you are");
    assert.deepEqual((await said.take()).slice(0, 2), ["bob", "there you are"]);
  });

  test("auth: only who has a token comes in, and is known by it", async (t) => {
    const server = await example(t, "auth");
    const [nobody] = await event(client(t, server), "connect_error");
    assert.equal(nobody.message, "who are you?");
    const [stranger] = await event(client(t, server, { auth: { token: "x" } }), "connect_error");
    assert.equal(stranger.message, "unauthorized");
    assert.deepEqual(stranger.data, { code: "unknown token" });
    const auth = { token: "ada-secret" };
    const devices = [await connected(t, server, { auth }), await connected(t, server, { auth })];
    const bob = await connected(t, server, { auth: { token: "bob-secret" } });
    assert.deepEqual(await call(devices[0], "whoami"), ["ada"]);
    const gone = devices.map((socket) => event(socket, "disconnect"));
    devices[0].emit("sign out everywhere");
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
    assert.deepEqual(await call(bob, "whoami"), ["bob"]);
  });

  test("acks: the client asks, the server asks it, and asks everybody", async (t) => {
    const server = await example(t, "acks");
    const named = (name) => {
      const socket = client(t, server);
      socket.on("name", (answer) => answer(name));
      return { socket, hello: event(socket, "hello") };
    };
    const [ada, bob, eve] = ["ada", "bob", "eve"].map(named);
    assert.deepEqual(await ada.hello, ["ada"]);
    await Promise.all([bob.hello, eve.hello]);
    assert.deepEqual(await call(ada.socket, "add", 1.5, 2), [3.5]);
    ada.socket.on("question", (question, answer) => answer(question === "tea?"));
    bob.socket.on("question", (question, answer) => answer(false));
    const soFar = collect(ada.socket, "so far");
    // Eve does not answer, and is waited for.
    assert.deepEqual(await call(ada.socket, "poll", "tea?"), [1, 1]);
    assert.equal(soFar.waiting, 2);
  });

  test("namespaces: those of the program and those that clients bring about", async (t) => {
    const server = await example(t, "namespaces");
    const game = await connected(t, server, { namespace: "/game-7" });
    const player = event(game, "player");
    const other = await connected(t, server, { namespace: "/game-7" });
    assert.deepEqual(await player, [other.id]);
    assert.deepEqual(await call(game, "where"), ["/game-7"]);
    const main = await connected(t, server);
    assert.deepEqual(await call(main, "where"), ["/"]);
    const [unknown] = await event(client(t, server, { namespace: "/game-x" }), "connect_error");
    assert.equal(unknown.message, "Invalid namespace");
    const [wrong] = await event(client(t, server, { namespace: "/admin", auth: { password: "?" } }), "connect_error");
    assert.equal(wrong.message, "wrong password");
    const admin = await connected(t, server, { namespace: "/admin", auth: { password: "let me in" } });
    const heard = [game, other].map((socket) => event(socket, "announcement"));
    assert.deepEqual(await call(admin, "announce", "tea"), [["/", "/admin", "/game-7"]]);
    assert.deepEqual(await Promise.all(heard), [["tea"], ["tea"]]);
    assert.match(server.said(), /\/game-7 is there/);
  });

  test("binary: a file goes up, to the others, and comes down", async (t) => {
    const server = await example(t, "binary");
    const [ada, bob] = [await connected(t, server), await connected(t, server)];
    const file = { name: "a.bin", data: Buffer.from([1, 2, 255]) };
    const shared = event(bob, "file");
    assert.deepEqual(await call(ada, "upload", file), [3]);
    assert.deepEqual(await shared, [file]);
    assert.deepEqual(await call(bob, "download", "a.bin"), [file]);
    assert.deepEqual(await call(bob, "download", "b.bin"), [null]);
  });

  for (const name of ["axum", "hyper"]) {
    test(`${name}: the server stands beside other routes`, async (t) => {
      const server = await example(t, name);
      const socket = client(t, server);
      assert.deepEqual(await event(socket, "welcome"), [`from ${name}`]);
      assert.deepEqual(await call(socket, "echo", 1, "two"), [1, "two"]);
      const page = await fetch(server.url);
      assert.equal(await page.text(), name === "axum" ? "1 echoes so far" : "hello from hyper");
    });
  }

  test("metrics: who is there and what went wrong is counted", async (t) => {
    const server = await example(t, "metrics");
    const metrics = async () => (await fetch(`${server.url}/metrics`)).text();
    const socket = await connected(t, server);
    assert.deepEqual(await call(socket, "echo", 1), [1]);
    const text = await metrics();
    for (const line of ["socketio_clients 1", "socketio_sockets 1", "socketio_protocol_errors_total 0"]) {
      assert.ok(text.split("\n").includes(line), `${line} in\n${text}`);
    }
    await upgraded(socket);
    const gone = event(socket, "disconnect");
    socket.io.engine.send("7");
    await gone;
    const counted = async () => {
      while (!/^socketio_clients 0$[^]*^socketio_protocol_errors_total 1$/m.test(await metrics())) await pause(10);
    };
    await within(counted(), "the end of the session to be counted");
  });

  test("tls: the client speaks by HTTPS", async (t) => {
    const server = await example(t, "tls", { scheme: "https" });
    const ca = /-----BEGIN CERTIFICATE-----[^]*-----END CERTIFICATE-----/.exec(server.said())[0];
    const localhost = { url: `https://localhost:${server.port}` };
    for (const way of ["polling", "websocket", "upgrade"]) {
      const socket = client(t, localhost, { way, ca });
      assert.deepEqual(await event(socket, "welcome"), ["from tls", true]);
      assert.deepEqual(await call(socket, "echo", way), [way]);
    }
    const [refused] = await event(client(t, localhost), "connect_error");
    assert.match(refused.message, /error/, "a certificate that is not trusted");
  });

  test("engine_echo: Engine.IO alone", async (t) => {
    const server = await example(t, "engine_echo");
    const socket = new Engine(server.url);
    t.after(() => socket.close());
    await within(new Promise((resolve) => socket.once("open", resolve)), "the session");
    for (const data of ["hello", Buffer.from([1, 2])]) {
      const back = new Promise((resolve) => socket.once("message", resolve));
      socket.send(data);
      assert.deepEqual(await within(back, "the message to come back"), data);
    }
  });
});
