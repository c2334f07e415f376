// Socket.IO's client 2 in a browser, whose ways it has there alone: JSONP, with scripts and forms, and binary bodies.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { server } from "../../conformance/lib/target.mjs";
import { launch } from "../lib/people.js";

const client = path.join(path.dirname(createRequire(import.meta.url).resolve("socket.io-client-2/package.json")), "dist/socket.io.js");

const ways = {
  jsonp: { transports: ["polling"], forceJSONP: true },
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

for (const [way, options] of Object.entries(ways)) {
  test(`client_2_plays_by_${way}_in_a_browser`, { timeout: 60_000 }, async () => {
    const { url } = await server({ allowEIO3: true });
    const page = await browser.newPage();
    await page.goto(url);
    await page.addScriptTag({ path: client });
    const text = "a\nb\\n\\\\n\u2028é😀\"</script>";
    const seen = await page.evaluate(play, { options, text });
    const last = way === "upgrade" ? "websocket" : options.transports[0];
    assert.deepEqual(seen, {
      text,
      bytes: [1, 2, 255],
      ticks: Array.from({ length: 300 }, (_, i) => i),
      transport: last,
      isJsonp: way === "jsonp",
      left: "io server disconnect",
    });
    await page.close();
  });
}

/** What the page does, and what comes of it. */
async function play({ options, text }) {
  const socket = window.io({ ...options, reconnection: false, forceNew: true });
  const event = (emitter, name) => new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
  await event(socket, "connect");
  const { engine } = socket.io;
  const isJsonp = typeof engine.transport.query.j === "number";
  if (options.transports.length > 1 && engine.transport.name === "polling") await event(engine, "upgrade");
  const [back, data] = await new Promise((resolve) => {
    socket.emit("echo", text, new Uint8Array([1, 2, 255]).buffer, (...args) => resolve(args));
  });
  const ticks = [];
  socket.on("tick", (i) => ticks.push(i));
  socket.emit("burst", 300);
  await new Promise((resolve) => socket.on("tick", (i) => i === 299 && resolve()));
  const { name } = engine.transport;
  const leaving = event(socket, "disconnect");
  socket.emit("leave me", false);
  const [left] = await leaving;
  return { text: back, bytes: [...new Uint8Array(data)], ticks, transport: name, isJsonp, left };
}
