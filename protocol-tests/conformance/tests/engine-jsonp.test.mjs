// JSONP polling, in both protocols: what a page's scripts hear and what its forms say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { group } from "../lib/groups.mjs";
import { heard, JsonpSession } from "../lib/jsonp.mjs";
import { ENGINE, observe, WebSocketSession } from "../lib/sessions.mjs";
import { differs, server } from "../lib/target.mjs";
import { textPayload } from "../lib/v3.mjs";
import { ask } from "../lib/wire.mjs";

const allowed = { allowEIO3: true };
const payloads = { 3: textPayload, 4: (packets) => packets.join("\x1e") };

group("JSONP", () => {
  for (const version of [3, 4]) {
    const open = async (options, more) => JsonpSession.open(await server({ ...allowed, ...options }), version, more);
    const payload = (...packets) => payloads[version](packets);

    test(`protocol ${version}: what a form says comes back as a script [jsonp.form]`, async () => {
      const session = await open();
      const text = "4\"quoted\" \\ \n new line \\n no new line \\\\n é😀\u2028\u2029\0</script>";
      await session.send(payload(text, "4b"));
      const response = await session.poll();
      assert.equal(heard(response.body, 0), payload(text, "4b"));
      assert.doesNotMatch(response.body, /[\u2028\u2029\n]/);
      assert.equal(response.headers["content-type"], "text/plain; charset=UTF-8");
      assert.equal(response.headers["cache-control"], "no-store");
    });

    test(`protocol ${version}: a form may hold other fields and any escapes [jsonp.form]`, async () => {
      const session = await open();
      const body = encodeURIComponent(payload("4a b")).replace("%20", "+");
      const response = await session.post(`x=1&%64=${body}&y`);
      assert.equal(response.body, "ok");
      assert.equal(response.headers["content-type"], "text/html");
      assert.equal(await session.next(), payload("4a b"));
    });

    test(`protocol ${version}: the callback is the number in the request [jsonp.index]`, async () => {
      for (const [index, expected] of [["7", "7"], ["12abc3", "123"], ["0];alert(1);___eio[5", "015"]]) {
        const path = `${ENGINE}?EIO=${version}&transport=polling&j=${encodeURIComponent(index)}`;
        const response = await ask(await server(allowed), "GET", path);
        const number = differs({ reference: expected, ours: String(Number(expected)) });
        assert.ok(response.body.startsWith(`___eio[${number}]("`), response.body);
        assert.ok(response.body.endsWith('");'), response.body);
      }
    });

    test(`protocol ${version}: a request without a number is refused with code 3`, async () => {
      const response = await ask(await server(allowed), "GET", `${ENGINE}?EIO=${version}&transport=polling&j=x`);
      if (differs({ reference: true, ours: false })) assert.ok(response.body.startsWith('___eio[]("'));
      else assert.equal(`${response.status} ${response.body}`, '400 {"code":3,"message":"Bad request"}');
    });

    test(`protocol ${version}: refusals are no scripts [jsonp.index]`, async () => {
      const session = await open();
      const gone = await ask(session.server, "GET", session.url.replace(session.sid, "x".repeat(20)));
      assert.equal(`${gone.status} ${gone.body}`, '400 {"code":1,"message":"Session ID unknown"}');
    });

    test(`protocol ${version}: a form without its field`, async (t) => {
      const target = await server(allowed);
      const observer = await observe(t, target);
      for (const form of ["", "x=1", "d=4a&d=4b"]) {
        const session = await JsonpSession.open(target, version);
        assert.equal((await session.post(form)).body, "ok");
        if (differs({ reference: true, ours: false })) assert.equal((await observer.status(session.sid)).messages, 0);
        else assert.deepEqual(await observer.reasons(session.sid), ["parse error"], form);
      }
    });

    test(`protocol ${version}: old browsers are told not to look for attacks`, async () => {
      const headers = { "user-agent": "Mozilla/4.0 (compatible;MSIE 8.0)" };
      const path = `${ENGINE}?EIO=${version}&transport=polling&j=0`;
      const response = await ask(await server(allowed), "GET", path, { headers });
      assert.equal(response.headers["x-xss-protection"], "0");
    });
  }

  test("bytes come as base64, in protocol 3 as well", async () => {
    const session = await JsonpSession.open(await server(allowed), 3, { query: "&b64=1" });
    await session.send("6:b4AQL/");
    assert.equal(await session.next(), "6:b4AQL/");
    const other = await JsonpSession.open(await server(allowed), 4);
    await other.send("bAQL/");
    assert.equal(await other.next(), "bAQL/");
  });

  test("a session may move on to a WebSocket", async () => {
    const session = await JsonpSession.open(await server(), 4);
    const socket = await WebSocketSession.dial(session.server, ENGINE, `&sid=${session.sid}`);
    await socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    assert.equal(await session.next(), "6");
    await socket.send("5", "4a");
    assert.equal(await socket.next(), "4a");
  });

  test("where origins are named, a page of another one hears no script", async () => {
    const target = await server({ cors: { origin: ["http://a.test"] } });
    const path = `${ENGINE}?EIO=4&transport=polling&j=0`;
    const status = async (headers) => (await ask(target, "GET", path, { headers })).status;
    assert.equal(await status({ referer: "http://a.test/page" }), 200);
    assert.equal(await status({ referer: "http://127.0.0.1/page" }), 200);
    assert.equal(await status({ referer: "http://b.test/page" }), differs({ reference: 200, ours: 403 }));
    assert.equal(await status({}), differs({ reference: 200, ours: 403 }));
  });
});
