// Engine.IO: what the application sees and decides of a request, what stands before and beside the server, and compression.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { Socket } from "engine.io-client";
import { group } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { carriers, ENGINE, observe, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { differs, ownServer, server } from "../lib/target.mjs";
import { event, Inbox, pause } from "../lib/wait.mjs";
import { ask, request, upgradeHeaders, Wire } from "../lib/wire.mjs";

const POLLING = `${ENGINE}?EIO=4&transport=polling`;
const WEBSOCKET = `${ENGINE}?EIO=4&transport=websocket`;

/** What a session is answered to a command. */
async function command(session, text) {
  await session.send(`4!${text}`);
  return JSON.parse((await session.next()).slice(1));
}

/** The response to a request for a WebSocket. */
function upgrade(target, query, headers = {}) {
  return ask(target, "GET", `${WEBSOCKET}${query}`, { headers: { ...upgradeHeaders, ...headers } });
}

group("Handshake and verification", () => {
  test("a policy that waits lets in and refuses, over either transport [hs.policy hs.policy-later]", async () => {
    const target = await server({ ask: true });
    for (const Carrier of carriers) {
      const session = await Carrier.open(target, ENGINE, "&pass=1");
      await session.send("4hello");
      assert.equal(await session.next(), "4hello");
    }
    const refused = await ask(target, "GET", POLLING);
    assert.deepEqual([refused.status, refused.body], [403, '{"code":4,"message":"not you"}']);
  });

  test("a WebSocket that the policy refuses after a wait never opens [hs.policy-websocket]", async () => {
    const target = await server({ ask: true });
    const refused = await upgrade(target, "");
    assert.deepEqual([refused.status, refused.body], [400, "not you"]);
  });

  test("the application is told of refused requests with code and message [hs.errors-told]", async () => {
    const target = await server({ ask: true });
    const session = await WebSocketSession.open(target, ENGINE, "&pass=1");
    const mark = "mark=told";
    for (const query of ["transport=tobi", "transport=polling&sid=none", "transport=polling"]) {
      await ask(target, "GET", `${ENGINE}?EIO=4&${query}&${mark}`);
    }
    await ask(target, "POST", `${POLLING}&${mark}`);
    await upgrade(target, `&${mark}`);
    await ask(target, "GET", `${ENGINE}?EIO=2&transport=polling&pass=1&${mark}`);
    assert.deepEqual(await command(session, `refused ${mark}`), [
      [0, "Transport unknown"],
      [1, "Session ID unknown"],
      [4, "not you"],
      [2, "Bad handshake method"],
      [4, "not you"],
      [5, "Unsupported protocol version"],
    ]);
  });

  for (const Carrier of carriers) {
    test(`over ${Carrier.transport} the query of the URL is in the request [hs.query]`, async () => {
      const session = await Carrier.open(await server(), ENGINE, "&x=abc");
      assert.equal((await command(session, "request")).x, "abc");
    });
  }

  for (const [what, where, options] of [
    ["the URL", "/?x=url", {}],
    ["its options", "", { query: { x: "option" } }],
  ]) {
    test(`the official client gives the query of ${what} to the server, and begins by polling [hs.query hs.default-polling]`, async (t) => {
      const target = await server();
      const socket = new Socket(target.url + where, { path: ENGINE, ...options });
      t.after(() => socket.close());
      const messages = new Inbox();
      socket.on("message", (message) => messages.put(message));
      const begun = socket.transport?.name;
      await event(socket, "open");
      socket.send("!request");
      assert.equal(JSON.parse(await messages.take()).x, where ? "url" : "option");
      assert.equal(begun ?? "polling", "polling");
    });
  }

  test("the path without its trailing slash is served only if so configured [hs.slash]", async () => {
    const query = "?EIO=4&transport=polling";
    assert.equal((await ask(await server(), "GET", `/engine.io${query}`)).status, 404);
    const bare = await server({ addTrailingSlash: false });
    assert.equal((await ask(bare, "GET", `/engine.io${query}`)).status, 200);
    assert.equal((await ask(bare, "GET", `/elsewhere-engine.io${query}`)).status, 404);
  });
});

group("Handshake and verification", () => {
  for (const Carrier of carriers) {
    test(`over ${Carrier.transport} the application makes the ids, after a wait [hs.id-own]`, async () => {
      const mine = `${Carrier.transport}-1`;
      const session = await Carrier.open(await server({ generateId: true }), ENGINE, `&x=${mine}`);
      assert.equal(session.sid, `made-of-${mine}`);
      await session.send("4hello");
      assert.equal(await session.next(), "4hello");
    });
  }

  test("a session with an id of the application's can be upgraded [hs.id-own]", async () => {
    const target = await server({ generateId: true });
    const session = await PollingSession.open(target, ENGINE, "&x=upgrade");
    const probe = await WebSocketSession.dial(target, ENGINE, `&sid=${session.sid}`);
    await probe.send("2probe");
    assert.equal(await probe.next(), "3probe");
    await probe.send("5", "4hello");
    assert.equal(await probe.next(), "4hello");
  });

  test("when no id can be made the handshake is refused with code 3 [hs.id-fails]", async () => {
    const target = await server({ generateId: true });
    const polling = await ask(target, "GET", POLLING);
    assert.deepEqual([polling.status, JSON.parse(polling.body)], [400, { code: 3, message: "Bad request" }]);
    assert.equal((await upgrade(target, "")).status, differs({ reference: 101, ours: 400 }));
  });
});

group("Messages, ordering, flush", () => {
  test("the application is told of what comes, of what is written, and of the steps of an upgrade [msg.events]", async () => {
    const target = await server({ events: true });
    const session = await PollingSession.open(target);
    await session.send("4one", "4two");
    assert.deepEqual([await session.next(), await session.next()], ["4one", "4two"]);
    const probe = await WebSocketSession.dial(target, ENGINE, `&sid=${session.sid}`);
    await probe.send("2probe");
    assert.equal(await probe.next(), "3probe");
    await probe.send("5", "4three");
    assert.equal(await probe.next(), "4three");
    const happened = await command(await WebSocketSession.open(target), `events ${session.sid}`);
    const written = ["flush", "drain"];
    assert.deepEqual(happened.filter((one) => !written.includes(one)), ["message", "message", "upgrading", "upgrade", "message"]);
    const writes = happened.filter((one) => written.includes(one));
    assert.ok(writes.length >= 4, `written: ${writes}`);
    assert.deepEqual(writes, Array.from(writes, (_, i) => written[i % 2]));
  });
});

group("HTTP attachment", () => {
  test("a port of Engine.IO alone answers other paths with 501 and opens sessions [http.alone http.variants]", async () => {
    const target = await server({ alone: true });
    assert.equal((await ask(target, "GET", "/")).status, 501);
    for (const Carrier of carriers) {
      const session = await Carrier.open(target);
      await session.send("4hello");
      assert.equal(await session.next(), "4hello");
    }
  });

  test("requests of other paths go to who else is there [http.beside http.wrong-path]", async () => {
    const response = await ask(await server(), "GET", "/engine");
    assert.deepEqual([response.status, response.body], [404, "not here"]);
  });

  test("an upgrade request that nobody handles does not stay open [http.foreign-upgrade]", async () => {
    const wire = await Wire.open((await server()).port);
    const start = performance.now();
    await wire.write(request("GET", "/nobody", { headers: upgradeHeaders }));
    if (differs({ reference: true, ours: false })) {
      assert.equal((await wire.end()).length, 0);
      assert.ok(performance.now() - start > 990, "only after a second");
    } else assert.equal((await wire.response()).status, 404);
  });

  test("the upgrade of another handler is left alone [http.other-websocket]", async () => {
    const wire = await Wire.open((await server()).port);
    await wire.write(request("GET", "/elsewhere", { headers: { connection: "Upgrade", upgrade: "echo" } }));
    assert.equal((await wire.response()).status, 101);
    // Longer than the reference waits for somebody to handle an upgrade.
    await pause(1200);
    await wire.write("hello");
    assert.equal((await wire.bytes(5)).toString(), "hello");
  });
});

group("CORS and response headers", () => {
  const added = ({ headers }) => [headers["x-initial"], headers["x-every"]];

  test("hooks set headers of the first response, once, and of every one [headers.initial headers.every]", async () => {
    const target = await server({ headers: true });
    const open = await ask(target, "GET", POLLING);
    const sid = JSON.parse(open.body.slice(1)).sid;
    const post = await ask(target, "POST", `${POLLING}&sid=${sid}`, { body: "4hello" });
    const poll = await ask(target, "GET", `${POLLING}&sid=${sid}`);
    const upgraded = await upgrade(target, `&sid=${sid}`);
    assert.deepEqual([open, post, poll].map(added), [["1", "1"], [undefined, "1"], [undefined, "1"]]);
    assert.deepEqual([upgraded.status, ...added(upgraded)], [101, undefined, "1"]);
  });

  test("hooks set headers of a WebSocket's first response [headers.initial headers.every]", async () => {
    const response = await upgrade(await server({ headers: true }), "");
    assert.deepEqual([response.status, ...added(response)], [101, "1", "1"]);
  });

  test("old browsers are told not to look for attacks, others not [headers.xss]", async () => {
    const target = await server();
    const xss = async (agent) => {
      const open = await ask(target, "GET", POLLING, { headers: { "user-agent": agent } });
      const sid = JSON.parse(open.body.slice(1)).sid;
      const post = await ask(target, "POST", `${POLLING}&sid=${sid}`, { headers: { "user-agent": agent }, body: "4hello" });
      return [open, post].map(({ headers }) => headers["x-xss-protection"]);
    };
    assert.deepEqual(await xss("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)"), ["0", "0"]);
    assert.deepEqual(await xss("Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko"), ["0", "0"]);
    assert.deepEqual(await xss("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"), [undefined, undefined]);
  });
});

group("HTTP middleware", () => {
  const layered = { layers: true };

  test("layers run in their order before a request is verified [layers.first layers.order layers.headers]", async () => {
    const target = await server(layered);
    for (const [query, status] of [["transport=polling", 200], ["transport=tobi", 400], ["transport=polling&sid=none", 400]]) {
      const response = await ask(target, "GET", `${ENGINE}?EIO=4&${query}`);
      assert.deepEqual([response.status, response.headers["x-order"]], [status, "outer,inner"]);
    }
  });

  test("layers run for a WebSocket, and set headers of its first response [layers.first layers.order layers.headers]", async () => {
    const response = await upgrade(await server(layered), "");
    assert.deepEqual([response.status, response.headers["x-order"]], [101, "outer,inner"]);
  });

  test("a layer may answer itself, and then no session opens [layers.ends]", async (t) => {
    const target = await server(layered);
    const observer = await observe(t, target);
    const before = await observer.open();
    const response = await ask(target, "GET", `${POLLING}&end=1`);
    assert.deepEqual([response.status, response.body], [503, "ended by a layer"]);
    // The reference ends the connection of a WebSocket without a word.
    const ended = await upgrade(target, "&end=1").catch(() => ({ status: 503 }));
    assert.equal(ended.status, 503);
    assert.equal(await observer.open(), before);
  });

  test("a layer that fails refuses the connection [layers.fails]", async (t) => {
    const target = await server(layered);
    const observer = await observe(t, target);
    const before = await observer.open();
    assert.equal((await ask(target, "GET", `${POLLING}&fail=1`)).status, 400);
    assert.equal((await upgrade(target, "&fail=1")).status, 400);
    assert.equal(await observer.open(), before);
  });

  for (const Carrier of carriers) {
    test(`over ${Carrier.transport} the application sees what a layer has attached to the request [layers.session]`, async () => {
      const target = await server(layered);
      if (Carrier === PollingSession) {
        const open = await ask(target, "GET", POLLING, { headers: { "x-user": "ada" } });
        assert.equal((await command(new PollingSession(target, ENGINE, open.body), "request")).user, "ada");
      } else {
        const session = await WebSocketSession.dial(target, ENGINE, "", { headers: { "x-user": "ada" } });
        await session.next();
        assert.equal((await command(session, "request")).user, "ada");
      }
    });
  }

  test("behind a layer that wraps the response a body is limited as ever [layers.limit]", async () => {
    const session = await PollingSession.open(await server({ ...layered, maxPayload: 100 }));
    assert.equal((await session.post(`4${"a".repeat(99)}`)).status, 200);
    assert.equal((await session.post(`4${"a".repeat(100)}`)).status, 413);
  });
});

group("Compression", () => {
  const message = "abcdefgh".repeat(200);

  /** The answer to a poll that has this message waiting. */
  async function answered(target, accepted, text = message) {
    const session = await PollingSession.open(target);
    await session.send(`4${text}`);
    const response = await session.poll({ headers: accepted === undefined ? {} : { "accept-encoding": accepted } });
    return { encoding: response.headers["content-encoding"], bytes: response.bytes };
  }

  test("a long body is compressed by gzip or deflate as the client accepts it [gzip.accepted]", async () => {
    const target = await server();
    const gzip = await answered(target, "gzip, deflate");
    assert.deepEqual([gzip.encoding, gunzipSync(gzip.bytes).toString()], ["gzip", `4${message}`]);
    const deflate = await answered(target, "deflate");
    assert.deepEqual([deflate.encoding, inflateSync(deflate.bytes).toString()], ["deflate", `4${message}`]);
    for (const accepted of [undefined, "identity", "compress"]) {
      const plain = await answered(target, accepted);
      assert.deepEqual([plain.encoding, plain.bytes.toString()], [undefined, `4${message}`]);
    }
  });

  test("a body below the threshold goes as it is, and one at it does not [gzip.threshold]", async () => {
    const target = await server();
    assert.equal((await answered(target, "gzip", "a".repeat(1022))).encoding, undefined);
    assert.equal((await answered(target, "gzip", "a".repeat(1023))).encoding, "gzip");
    const low = await server({ httpCompression: { threshold: 10 } });
    assert.equal((await answered(low, "gzip", "a".repeat(8))).encoding, undefined);
    assert.equal((await answered(low, "gzip", "a".repeat(9))).encoding, "gzip");
  });

  test("a message may say that it is not to be compressed [gzip.message]", async () => {
    const session = await PollingSession.open(await server());
    const encoding = async (...commands) => {
      await session.send(...commands);
      return (await session.poll({ headers: { "accept-encoding": "gzip" } })).headers["content-encoding"];
    };
    assert.equal(await encoding("4!plain 2000"), undefined);
    assert.equal(await encoding("4!plain 2000", "4!plain 2000"), undefined);
    assert.equal(await encoding("4!plain 2000", "4another"), "gzip");
    assert.equal(await encoding(`4${message}`), "gzip");
  });

  test("a packet of Socket.IO is compressed unless it says otherwise [gzip.packet]", async () => {
    const client = await PacketClient.join(PollingSession, await server());
    const encoding = async (compress) => {
      await client.send(`2["large",2000,${compress}]`);
      return (await client.session.poll({ headers: { "accept-encoding": "gzip" } })).headers["content-encoding"];
    };
    assert.equal(await encoding(true), "gzip");
    assert.equal(await encoding(false), undefined);
  });

  test("switched off nothing is compressed [gzip.off]", async () => {
    assert.equal((await answered(await server({ httpCompression: false }), "gzip")).encoding, undefined);
  });
});

group("Heartbeat, close, disconnect reasons", () => {
  for (const transport of ["polling", "websocket"]) {
    test(`over ${transport} the official client may close before it is open, and leaves nothing [close.before-open]`, async (t) => {
      const target = await server();
      const observer = await observe(t, target);
      const before = await observer.open();
      const socket = new Socket(target.url, { path: ENGINE, transports: [transport] });
      const closed = event(socket, "close");
      socket.close();
      await closed;
      assert.equal(await observer.open(), before);
    });

    test(`over ${transport} the official client closes when the server has fallen silent [close.client-mirrors]`, async (t) => {
      const target = await ownServer(t, { pingInterval: 200, pingTimeout: 200 });
      const socket = new Socket(target.url, { path: ENGINE, transports: [transport] });
      t.after(() => socket.close());
      await event(socket, "open");
      process.kill(target.pid, "SIGSTOP");
      const start = performance.now();
      const [reason] = await event(socket, "close");
      assert.equal(reason, "ping timeout");
      assert.ok(performance.now() - start > 150, "not before its time");
    });
  }
});
