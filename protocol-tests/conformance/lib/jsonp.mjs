// A session of JSONP polling: its polls are scripts, which are run as a page would, and its posts are forms.

import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import { ENGINE } from "./sessions.mjs";
import { ask } from "./wire.mjs";

/** What the script hands to its callback. */
export function heard(script, index) {
  const got = [];
  const page = { ___eio: [] };
  page.___eio[index] = (payload) => got.push(payload);
  runInNewContext(script, page);
  assert.equal(got.length, 1, script);
  return got[0];
}

/** The form of the official client 2: a line break becomes `\n`, and what looked like that before, `\\n`. */
export function formOf(payload) {
  const escaped = payload.replace(/\n|\\n/g, (one) => (one === "\n" ? "\\n" : "\\\\n"));
  return `d=${encodeURIComponent(escaped)}`;
}

export class JsonpSession {
  static async open(server, version, { index = 0, path = ENGINE, query = "" } = {}) {
    const url = `${path}?EIO=${version}&transport=polling&j=${index}${query}`;
    const first = await ask(server, "GET", url);
    assert.equal(first.status, 200, first.body);
    return new JsonpSession(server, url, index, first);
  }

  constructor(server, url, index, first) {
    this.server = server;
    this.index = index;
    this.first = first;
    const open = heard(first.body, index);
    this.handshake = JSON.parse(open.slice(open.indexOf("{"), open.lastIndexOf("}") + 1));
    this.sid = this.handshake.sid;
    this.url = `${url}&sid=${this.sid}`;
  }

  /** One GET, as it comes. */
  poll() {
    return ask(this.server, "GET", this.url);
  }

  /** One POST, as it is answered. */
  post(form) {
    return ask(this.server, "POST", this.url, { body: form, headers: { "content-type": "application/x-www-form-urlencoded" } });
  }

  async send(payload) {
    const response = await this.post(formOf(payload));
    assert.equal(`${response.status} ${response.body}`, "200 ok");
  }

  async next() {
    const response = await this.poll();
    assert.equal(response.status, 200, response.body);
    return heard(response.body, this.index);
  }
}
