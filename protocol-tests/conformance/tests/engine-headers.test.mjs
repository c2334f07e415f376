// Engine.IO: CORS and cookies, and what else of a handshake is a matter of options.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../lib/groups.mjs";
import { ENGINE, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { ask, upgradeHeaders } from "../lib/wire.mjs";

const POLLING = `${ENGINE}?EIO=4&transport=polling`;
const WEBSOCKET = `${ENGINE}?EIO=4&transport=websocket`;
const named = {
  cors: {
    origin: ["http://a.test", "http://b.test"],
    credentials: true,
    methods: ["GET", "POST"],
    allowedHeaders: ["x-a", "x-b"],
    exposedHeaders: ["x-c"],
    maxAge: 5,
  },
};
const any = { cors: {} };

/** The headers of CORS. */
function cors({ headers }) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("access-control-") || name === "vary"));
}

function sidOf({ body }) {
  return JSON.parse(body.slice(1)).sid;
}

group("CORS and response headers", () => {
  const granted = {
    "access-control-allow-origin": "http://b.test",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-c",
    vary: "Origin",
  };
  const { "access-control-allow-origin": _, ...notGranted } = granted;
  const preflight = {
    "access-control-allow-methods": "GET,POST",
    "access-control-allow-headers": "x-a,x-b",
    "access-control-max-age": "5",
  };

  test("without the option no header of it is sent [cors.off]", async () => {
    assert.deepEqual(cors(await ask(await server(), "GET", POLLING, { headers: { origin: "http://a.test" } })), {});
  });

  test("a named origin is granted what is configured, on every kind of response [cors.grant cors.passed-on]", async () => {
    const target = await server(named);
    const headers = { origin: "http://b.test" };
    const open = await ask(target, "GET", POLLING, { headers });
    const post = await ask(target, "POST", `${POLLING}&sid=${sidOf(open)}`, { headers, body: "4hi" });
    const refused = await ask(target, "GET", `${ENGINE}?EIO=4&transport=none`, { headers });
    const upgrade = await ask(target, "GET", WEBSOCKET, { headers: { ...headers, ...upgradeHeaders } });
    assert.deepEqual([open, post, refused, upgrade].map(({ status }) => status), [200, 200, 400, 101]);
    for (const response of [open, post, refused, upgrade]) assert.deepEqual(cors(response), granted);
  });

  test("a preflight request is answered with 204 and all that is configured [cors.preflight]", async () => {
    const response = await ask(await server(named), "OPTIONS", POLLING, { headers: { origin: "http://b.test" } });
    assert.equal(response.status, 204);
    assert.deepEqual(cors(response), { ...granted, ...preflight });
  });

  test("another origin gets no grant [cors.foreign]", async () => {
    const target = await server(named);
    const headers = { origin: "http://evil.test" };
    assert.deepEqual(cors(await ask(target, "GET", POLLING, { headers })), notGranted);
    assert.deepEqual(cors(await ask(target, "OPTIONS", POLLING, { headers })), { ...notGranted, ...preflight });
  });

  test("any origin is a star, and a preflight request gets the headers it asks for [cors.passed-on]", async () => {
    const target = await server(any);
    const headers = { origin: "http://a.test", "access-control-request-headers": "x-q" };
    assert.deepEqual(cors(await ask(target, "GET", POLLING, { headers })), { "access-control-allow-origin": "*" });
    assert.deepEqual(cors(await ask(target, "OPTIONS", POLLING, { headers })), {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
      "access-control-allow-headers": "x-q",
      vary: "Access-Control-Request-Headers",
    });
  });

  test("a predicate says which origins are granted what is configured [cors.predicate cors.foreign]", async () => {
    const target = await server({ cors: { ...named.cors, origin: undefined, originSuffix: "b.test" } });
    const headers = { origin: "http://b.test" };
    assert.deepEqual(cors(await ask(target, "GET", POLLING, { headers })), granted);
    assert.deepEqual(cors(await ask(target, "OPTIONS", POLLING, { headers })), { ...granted, ...preflight });
    headers.origin = "http://evil.test";
    assert.deepEqual(cors(await ask(target, "GET", POLLING, { headers })), differs({ reference: {}, ours: notGranted }));
    const asked = await ask(target, "OPTIONS", POLLING, { headers });
    assert.equal(asked.status, differs({ reference: 400, ours: 204 }));
    assert.deepEqual(cors(asked), differs({ reference: {}, ours: { ...notGranted, ...preflight } }));
  });

  test("a foreign page may not open a WebSocket, nor use a session there is [cors.foreign]", async () => {
    const target = await server(named);
    const headers = { origin: "http://evil.test" };
    const upgrade = await ask(target, "GET", WEBSOCKET, { headers: { ...headers, ...upgradeHeaders } });
    assert.equal(upgrade.status, differs({ reference: 101, ours: 403 }));
    const sid = sidOf(await ask(target, "GET", POLLING));
    const post = await ask(target, "POST", `${POLLING}&sid=${sid}`, { headers, body: "4hi" });
    assert.equal(post.status, differs({ reference: 200, ours: 403 }));
  });
});

group("Cookies", () => {
  test("there is none unless it is configured [cookie.off]", async () => {
    const open = await ask(await server(), "GET", POLLING);
    assert.equal(open.headers["set-cookie"], undefined);
  });

  test("the handshake sets the session's id, with the reference's defaults, and later responses do not [cookie.default]", async () => {
    const target = await server({ cookie: {} });
    const open = await ask(target, "GET", POLLING);
    assert.equal(open.headers["set-cookie"], `io=${sidOf(open)}; Path=/; HttpOnly; SameSite=Lax`);
    const post = await ask(target, "POST", `${POLLING}&sid=${sidOf(open)}`, { body: "4hi" });
    assert.equal(post.headers["set-cookie"], undefined);
  });

  test("name, path, HttpOnly and SameSite can be chosen [cookie.name cookie.path cookie.http-only cookie.same-site]", async () => {
    const cookie = { name: "sess", path: "/custom", httpOnly: false, sameSite: "strict" };
    const open = await ask(await server({ cookie }), "GET", POLLING);
    assert.equal(open.headers["set-cookie"], `sess=${sidOf(open)}; Path=/custom; SameSite=Strict`);
  });

  test("a WebSocket gets none", async () => {
    const open = await ask(await server({ cookie: {} }), "GET", WEBSOCKET, { headers: upgradeHeaders });
    assert.equal(open.status, 101);
    assert.equal(open.headers["set-cookie"], undefined);
  });
});

group("Handshake and verification", () => {
  test("a policy refuses with its message [hs.policy hs.policy-websocket]", async () => {
    const target = await server({ refuse: 'not "now"' });
    const polling = await ask(target, "GET", POLLING);
    assert.equal(polling.status, 403);
    assert.equal(polling.body, '{"code":4,"message":"not \\"now\\""}');
    const upgrade = await ask(target, "GET", WEBSOCKET, { headers: upgradeHeaders });
    assert.equal(upgrade.status, 400);
    assert.equal(upgrade.body, 'not "now"');
  });

  test("an initial packet comes right after the open packet [hs.initial]", async () => {
    const target = await server({ initialPacket: "welcome" });
    const open = await ask(target, "GET", POLLING);
    assert.match(open.body, /^0\{[^}]*\}\x1e4welcome$/);
    const session = await WebSocketSession.open(target);
    assert.equal(await session.next(), "4welcome");
  });
});
