// Engine.IO: who gets a session, and what exactly a refused request is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../lib/groups.mjs";
import { opcodes, RawWebSocket } from "../lib/frames.mjs";
import { ENGINE, PollingSession, SOCKET, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { ask, request, upgradeHeaders, Wire } from "../lib/wire.mjs";

const messages = [
  "Transport unknown",
  "Session ID unknown",
  "Bad handshake method",
  "Bad request",
  "Forbidden",
  "Unsupported protocol version",
];

function refused(response, code) {
  assert.equal(response.status, 400);
  assert.equal(response.body, `{"code":${code},"message":"${messages[code]}"}`);
  assert.equal(response.headers["content-type"], "application/json");
}

function refusedUpgrade(response, code) {
  assert.equal(response.line, "HTTP/1.1 400 Bad Request");
  assert.equal(response.body, messages[code]);
  assert.equal(response.headers["content-type"], "text/html");
  assert.equal(response.headers["content-length"], String(messages[code].length));
  assert.equal(response.headers.connection, "close");
}

group("Handshake and verification", () => {
  test("the handshake is one open packet with sid, upgrades, intervals and maxPayload, in this order [hs.open hs.id]", async () => {
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=polling`);
    assert.equal(response.status, 200);
    assert.match(
      response.body,
      /^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}$/,
    );
  });

  test("the handshake shows the options of the server [hs.open]", async () => {
    const { handshake } = await PollingSession.open(await server({ pingInterval: 1234, pingTimeout: 567, maxPayload: 890 }));
    assert.equal(handshake.pingInterval, 1234);
    assert.equal(handshake.pingTimeout, 567);
    assert.equal(handshake.maxPayload, 890);
  });

  test("no two session ids are alike [hs.id]", async () => {
    const target = await server();
    const all = await Promise.all(Array.from({ length: 50 }, () => PollingSession.open(target)));
    assert.equal(new Set(all.map((session) => session.sid)).size, 50);
  });

  test("a WebSocket from the start gets the same open packet, with no upgrades [hs.upgrades hs.direct]", async () => {
    const session = await WebSocketSession.open(await server());
    assert.match(session.sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(session.handshake.upgrades, []);
    assert.equal(session.handshake.maxPayload, 1000000);
    await session.leave();
  });

  test("upgrades is empty when the server has no WebSocket [hs.upgrades]", async () => {
    const { handshake } = await PollingSession.open(await server({ transports: ["polling"] }));
    assert.deepEqual(handshake.upgrades, []);
  });

  test("upgrades is empty when upgrades are off [hs.upgrades]", async () => {
    const { handshake } = await PollingSession.open(await server({ allowUpgrades: false }));
    assert.deepEqual(handshake.upgrades, []);
  });

  test("a server without polling refuses it with code 0", async () => {
    refused(await ask(await server({ transports: ["websocket"] }), "GET", `${ENGINE}?EIO=4&transport=polling`), 0);
  });

  for (const name of ["tobi", "constructor", "__proto__", "", "Polling", "webtransport"]) {
    test(`the unknown transport "${name}" is refused with code 0 [hs.transport]`, async () => {
      refused(await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=${name}`), 0);
    });

    test(`the unknown transport "${name}" of an upgrade request is refused with code 0 [hs.transport]`, async () => {
      const { response } = await RawWebSocket.open(await server(), `${ENGINE}?EIO=4&transport=${name}`);
      refusedUpgrade(response, 0);
    });
  }

  test("a request without a transport is refused with code 0 [hs.transport]", async () => {
    refused(await ask(await server(), "GET", `${ENGINE}?EIO=4`), 0);
    refused(await ask(await server(), "GET", ENGINE), 0);
  });

  for (const sid of ["123", "__proto__", "constructor", "AAAAAAAAAAAAAAAAAAAA", "%00", "%ff%fe", "a".repeat(4000)]) {
    const shown = sid.length > 40 ? `${sid.slice(0, 5)}… of ${sid.length} characters` : sid;
    test(`the unknown sid ${shown} is refused with code 1 [hs.sid]`, async () => {
      const target = await server();
      refused(await ask(target, "GET", `${ENGINE}?EIO=4&transport=polling&sid=${sid}`), 1);
      refused(await ask(target, "POST", `${ENGINE}?EIO=4&transport=polling&sid=${sid}`, { body: "4a" }), 1);
      const { response } = await RawWebSocket.open(target, `${ENGINE}?EIO=4&transport=websocket&sid=${sid}`);
      refusedUpgrade(response, 1);
    });
  }

  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    test(`a handshake by ${method} is refused with code 2 [hs.method]`, async () => {
      refused(await ask(await server(), method, `${ENGINE}?EIO=4&transport=polling`), 2);
    });
  }

  test("the transport is checked before the method", async () => {
    refused(await ask(await server(), "POST", `${ENGINE}?EIO=4&transport=tobi`), 0);
  });

  test("a plain GET that asks for a WebSocket is refused with code 3 [hs.mismatch]", async () => {
    refused(await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=websocket`), 3);
  });

  test("a plain GET for a WebSocket of a polling session is refused with code 3, and the session lives on [hs.stripped]", async () => {
    const session = await PollingSession.open(await server());
    refused(await ask(session.server, "GET", `${ENGINE}?EIO=4&transport=websocket&sid=${session.sid}`), 3);
    await session.send("4still here");
    assert.equal(await session.next(), "4still here");
  });

  test("polling for the session of a WebSocket is refused with code 3, and the session lives on [hs.mismatch]", async () => {
    const target = await server();
    const session = await WebSocketSession.open(target);
    const url = `${ENGINE}?EIO=4&transport=polling&sid=${session.sid}`;
    refused(await ask(target, "GET", url), 3);
    refused(await ask(target, "POST", url, { body: "4a" }), 3);
    await session.send("4still here");
    assert.equal(await session.next(), "4still here");
    await session.leave();
  });

  test("a session of protocol 4 is refused to protocol 3 with code 3, and lives on", async () => {
    const session = await PollingSession.open(await server());
    refused(await ask(session.server, "GET", `${ENGINE}?EIO=3&transport=polling&sid=${session.sid}`), 3);
    await session.send("4still here");
    assert.equal(await session.next(), "4still here");
  });

  for (const version of ["EIO=3", "EIO=5", "EIO=", "EIO=four", "EIO=04", "x=y"]) {
    test(`a handshake with ${version} is refused with code 5 [hs.version]`, async () => {
      refused(await ask(await server(), "GET", `${ENGINE}?${version}&transport=polling`), 5);
    });
  }

  test("a WebSocket of another protocol version never becomes a session [hs.version]", async () => {
    const { wire, response } = await RawWebSocket.open(await server(), `${ENGINE}?EIO=3&transport=websocket`);
    // The reference answers 101 first and then writes its refusal into the WebSocket.
    differs({
      reference: () => assert.equal(response.status, 101),
      ours: () => refusedUpgrade(response, 5),
    })();
    assert.doesNotMatch((await wire.end()).toString(), /"sid"/);
  });

  test("the other server on the port refuses in the same way", async () => {
    const target = await server();
    refused(await ask(target, "GET", `${SOCKET}?EIO=4&transport=tobi`), 0);
    refused(await ask(target, "GET", `${SOCKET}?EIO=3&transport=polling`), 5);
  });

  test("a session of one server is unknown to the other", async () => {
    const session = await PollingSession.open(await server());
    refused(await ask(session.server, "GET", `${SOCKET}?EIO=4&transport=polling&sid=${session.sid}`), 1);
  });

  test("percent-encoded names and values are read", async () => {
    const target = await server();
    for (const query of ["E%49O=4&transport=polling", "EIO=%34&transport=polling", "EIO=4&transport=p%6flling"]) {
      assert.equal((await ask(target, "GET", `${ENGINE}?${query}`)).status, 200, query);
    }
    const session = await PollingSession.open(target);
    const escaped = [...session.sid].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    session.url = `${ENGINE}?EIO=4&transport=polling&sid=${escaped}`;
    await session.send("4a");
    assert.equal(await session.next(), "4a");
  });

  test("of a parameter that is repeated the last one counts", async () => {
    const target = await server();
    assert.equal((await ask(target, "GET", `${ENGINE}?EIO=3&transport=tobi&EIO=4&transport=polling`)).status, 200);
    refused(await ask(target, "GET", `${ENGINE}?EIO=4&transport=polling&transport=tobi`), 0);
  });

  test("further parameters in any place do no harm", async () => {
    const response = await ask(await server(), "GET", `${ENGINE}?a=b&transport=polling&t=abc&&c&=d&EIO=4&x=%`);
    assert.equal(response.status, 200);
  });

  test("the b64 flag and a cache-busting t are accepted", async () => {
    const session = await PollingSession.open(await server(), ENGINE, "&b64=1&t=Oabc.1");
    await session.send("4a");
    assert.equal(await session.next(), "4a");
  });

  test("an origin of bytes that are no ASCII [hs.origin]", async () => {
    const wire = await Wire.open((await server()).port);
    await wire.write(request("GET", `${ENGINE}?EIO=4&transport=polling`, { headers: { origin: "http://\u00e9.example" } }));
    const response = await wire.response();
    // The reference lets them pass; what it refuses with code 3 never gets through an HTTP parser.
    differs({ reference: () => assert.equal(response.status, 200), ours: () => refused(response, 3) })();
  });

  test("an upgrade request for polling never becomes a session", async () => {
    const raw = await RawWebSocket.open(await server(), `${ENGINE}?EIO=4&transport=polling`);
    // The reference completes the WebSocket and closes it again.
    await differs({
      reference: async () => assert.equal((await raw.next()).opcode, opcodes.close),
      ours: async () => refusedUpgrade(raw.response, 3),
    })();
  });

  test("an upgrade without a key is refused with 400", async () => {
    const { "sec-websocket-key": key, ...headers } = upgradeHeaders;
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=websocket`, { headers });
    assert.equal(response.status, 400);
  });

  test("an upgrade of another WebSocket version is refused", async () => {
    const headers = { ...upgradeHeaders, "sec-websocket-version": "99" };
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=websocket`, { headers });
    assert.equal(response.status, differs({ reference: 400, ours: 426 }));
    assert.match(response.headers["sec-websocket-version"], /\b13\b/);
  });

  test("a WebSocket is accepted with the key's answer and without extensions or a subprotocol [msg.no-extension]", async () => {
    const { wire, response } = await RawWebSocket.open(await server(), `${ENGINE}?EIO=4&transport=websocket`);
    assert.equal(response.line, "HTTP/1.1 101 Switching Protocols");
    assert.equal(response.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert.equal(response.headers["sec-websocket-extensions"], undefined);
    assert.equal(response.headers["sec-websocket-protocol"], undefined);
    wire.destroy();
  });

  test("a path that is nobody's goes to the application behind [http.beside http.wrong-path]", async () => {
    const target = await server();
    for (const path of ["/", "/engine.io", "/socket.io", "/engine", "/other/engine.io/?EIO=4&transport=polling"]) {
      const response = await ask(target, "GET", path);
      assert.equal(`${response.status} ${response.body}`, "404 not here", path);
    }
  });

  test("many requests may follow each other on one connection, whatever the answers", async () => {
    const target = await server();
    const wire = await Wire.open(target.port);
    for (let i = 0; i < 10; i += 1) {
      await wire.write(request("GET", `${ENGINE}?EIO=4&transport=tobi`));
      refused(await wire.response(), 0);
      await wire.write(request("GET", `${ENGINE}?EIO=4&transport=polling`));
      assert.equal((await wire.response()).status, 200);
    }
    wire.destroy();
  });
});

group("CORS and response headers", () => {
  test("a poll is plain text in UTF-8 that nobody may store [headers.no-store]", async () => {
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=polling`);
    assert.equal(response.headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(response.headers["cache-control"], "no-store");
    assert.equal(response.headers["content-length"], String(response.bytes.length));
  });

  test("a POST is answered with ok as text/html that nobody may store [headers.no-store]", async () => {
    const session = await PollingSession.open(await server());
    const response = await session.post("4a");
    assert.equal(response.status, 200);
    assert.equal(response.body, "ok");
    assert.equal(response.headers["content-type"], "text/html");
    assert.equal(response.headers["content-length"], "2");
    assert.equal(response.headers["cache-control"], "no-store");
  });

  test("no origin is granted anything unless that is configured [cors.off]", async () => {
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=polling`, {
      headers: { origin: "http://evil.example" },
    });
    assert.equal(response.status, 200);
    assert.deepEqual(Object.keys(response.headers).filter((name) => name.startsWith("access-control")), []);
  });

  test("no cookie is set unless that is configured [cookie.off]", async () => {
    const response = await ask(await server(), "GET", `${ENGINE}?EIO=4&transport=polling`);
    assert.equal(response.headers["set-cookie"], undefined);
  });
});
