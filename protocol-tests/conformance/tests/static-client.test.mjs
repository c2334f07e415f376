// Socket.IO: the scripts of the client, which pages load from the server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { group } from "../lib/groups.mjs";
import { differs, server } from "../lib/target.mjs";
import { ask } from "../lib/wire.mjs";

const served = { serveClient: true };
const builds = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

function onDisk(name) {
  return readFileSync(new URL(`../node_modules/socket.io/client-dist/${name}`, import.meta.url));
}

async function get(name, { headers, ...options } = served, method = "GET") {
  return ask(await server(options), method, `/socket.io/${name}`, { headers });
}

group("Static client", () => {
  for (const name of builds.flatMap((build) => [build, `${build}.map`])) {
    test(`${name} is served [client.bundles]`, async () => {
      const { status, headers, bytes } = await get(name);
      assert.equal(status, 200);
      assert.ok(bytes.equals(onDisk(name)));
      assert.equal(headers["content-type"], `application/${name.endsWith(".map") ? "json" : "javascript"}; charset=utf-8`);
      assert.equal(headers["cache-control"], "public, max-age=0");
      assert.equal(headers["content-encoding"], undefined);
      assert.match(headers.etag, /^"[^"]+"$/);
    });
  }

  test("HEAD gets the headers alone [client.bundles]", async () => {
    const { status, headers } = await get("socket.io.js", served, "HEAD");
    assert.equal(status, 200);
    assert.match(headers.etag, /^"[^"]+"$/);
  });

  test("a query makes no difference [client.query]", async () => {
    const { status, bytes } = await get("socket.io.min.js?v=1&EIO=4&transport=polling");
    assert.equal(status, 200);
    assert.ok(bytes.equals(onDisk("socket.io.min.js")));
  });

  for (const [accepted, encoding, decode] of [
    ["gzip", "gzip", gunzipSync],
    ["deflate", "deflate", inflateSync],
    ["gzip;q=0.1, deflate", "deflate", inflateSync],
  ]) {
    test(`who accepts "${accepted}" gets ${encoding} [client.compressed]`, async () => {
      const { status, headers, bytes } = await get("socket.io.js", { ...served, headers: { "accept-encoding": accepted } });
      assert.equal(status, 200);
      assert.equal(headers["content-encoding"], encoding);
      assert.ok(decode(bytes).equals(onDisk("socket.io.js")));
    });
  }

  test("a script that is known by its tag, strong or weak, is not sent again [client.etag]", async () => {
    const { etag } = (await get("socket.io.js")).headers;
    for (const known of [etag, `W/${etag}`]) {
      const { status, headers, bytes } = await get("socket.io.js", { ...served, headers: { "if-none-match": known } });
      assert.equal(status, 304, known);
      assert.equal(bytes.length, 0);
      assert.equal(headers.etag, differs({ reference: undefined, ours: etag }));
    }
    assert.equal((await get("socket.io.js", { ...served, headers: { "if-none-match": '"another"' } })).status, 200);
  });

  test("the tag of what came compressed is known, too [client.etag]", async () => {
    const { etag } = (await get("socket.io.js", { ...served, headers: { "accept-encoding": "gzip" } })).headers;
    assert.match(etag, differs({ reference: /^"/, ours: /^W\/"/ }));
    assert.equal((await get("socket.io.js", { ...served, headers: { "if-none-match": etag } })).status, 304);
  });

  test("another origin is granted what is configured [client.cors]", async () => {
    const options = { ...served, cors: { origin: ["http://a.test"] } };
    const { status, headers } = await get("socket.io.js", { ...options, headers: { origin: "http://a.test" } });
    assert.equal(status, 200);
    assert.equal(headers["access-control-allow-origin"], "http://a.test");
    const other = await get("socket.io.js", { ...options, headers: { origin: "http://b.test" } });
    assert.equal(other.status, 200);
    assert.notEqual(other.headers["access-control-allow-origin"], "http://b.test");
    assert.equal((await get("socket.io.js", { ...served, headers: { origin: "http://a.test" } })).headers["access-control-allow-origin"], undefined);
  });

  test("when it is off there are no scripts [client.off]", async () => {
    const { status, body } = await get("socket.io.js", {});
    assert.deepEqual([status, body], [400, '{"code":0,"message":"Transport unknown"}']);
  });

  test("other names are not served [client.unknown]", async () => {
    for (const name of ["socket.io.dev.js", "package.json", "x/socket.io.js", "socket.io.js/"]) {
      const { status, body } = await get(name);
      assert.deepEqual([status, body], [400, '{"code":0,"message":"Transport unknown"}'], name);
    }
    assert.equal((await ask(await server(served), "GET", "/socket.io.js")).status, 404);
  });

  test("another method is no way to ask for a script [client.unknown]", async () => {
    const { status } = await get("socket.io.js", served, "POST");
    assert.equal(status, differs({ reference: 200, ours: 400 }));
  });
});
