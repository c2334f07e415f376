// Plays scenarios.json with an official client, of whichever version.

import assert from "node:assert/strict";
import { Inbox, PATIENCE, within } from "../lib/wait.mjs";

/** How each way of connecting is said to the client. */
const transports = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

/** Plays one scenario. `io` is the client's package, `restart` starts the server again. */
export async function play({ steps }, { io, version, url, way, restart }) {
  const player = new Player({ io, version, url, way, restart, steps });
  try {
    for (const step of steps) await player.step(decode(step));
  } finally {
    player.hangUp();
  }
}

class Player {
  #sockets = new Map(); // name -> { socket, id, inboxes }
  #managers = [];

  constructor(given) {
    Object.assign(this, given);
    this.received = new Set(given.steps.filter((step) => ["receive", "quiet"].includes(step.do)).map((step) => step.event));
  }

  step(step) {
    return this[step.do](step);
  }

  hangUp() {
    for (const manager of this.#managers) (manager._close ?? manager.close).call(manager);
  }

  async connect({ sockets, auth }) {
    const manager = this.#manager();
    for (const [name, namespace] of Object.entries(sockets)) {
      this.#sockets.set(name, this.#socket(manager, namespace, auth));
    }
    for (const name of Object.keys(sockets)) await this.connected({ as: name });
  }

  async connected({ as }) {
    const one = this.#sockets.get(as);
    await one.inboxes.connect.take(`${as} to connect`, 10_000);
    one.id = one.socket.id;
  }

  async disconnected({ as }) {
    await this.#sockets.get(as).inboxes.disconnect.take(`${as} to be disconnected`);
  }

  async refused({ namespace, auth, message, data }) {
    const { inboxes } = this.#socket(this.#manager(), namespace, auth);
    const [error] = await inboxes.refused.take("a refusal");
    if (this.version === 2) assert.deepEqual(error, data ?? { message });
    else assert.deepEqual([error.message, error.data], [message, data]);
  }

  async call({ as, event, args, same, answer = same ? args : [] }) {
    assert.deepEqual(await this.#ask(as, event, args), answer);
  }

  async emit({ as, event, args }) {
    this.#sockets.get(as).socket.emit(event, ...args);
  }

  async receive({ as, event, args }) {
    assert.deepEqual(await this.#sockets.get(as).inboxes[event].take(`the event "${event}"`), args);
  }

  async quiet({ as, event }) {
    await this.#ask(as, "echo", []);
    assert.equal(this.#sockets.get(as).inboxes[event].waiting, 0);
  }

  async reply({ as, event, with: answer }) {
    this.#sockets.get(as).socket.on(event, (...args) => args.at(-1)(...answer));
  }

  async upgraded({ as }) {
    const { engine } = this.#sockets.get(as).socket.io;
    const done = () => this.way !== "upgrade" || engine.transport.name === "websocket";
    if (!done()) await within(new Promise((resolve) => engine.once("upgrade", resolve)), "the upgrade");
    assert.equal(engine.transport.name, this.way === "polling" ? "polling" : "websocket");
  }

  async leave({ as }) {
    this.#sockets.get(as).socket.disconnect();
  }

  async "hang up"({ as }) {
    this.#sockets.get(as).socket.io.engine.close();
  }

  async reasons({ as, of, expected, any }) {
    const [reasons] = await this.#ask(as, "left", [this.#sockets.get(of).id]);
    if (any) assert.ok(reasons.length === 1 && expected.includes(reasons[0]), `the reasons are ${reasons}`);
    else assert.deepEqual(reasons, expected);
  }

  #manager() {
    const options = { transports: transports[this.way], reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const manager = new this.io.Manager(this.url, options);
    this.#managers.push(manager);
    return manager;
  }

  /** A socket that keeps what it receives until it is asked for. Client 2 has the auth of a namespace in its query. */
  #socket(manager, namespace, auth) {
    const socket = manager.socket(namespace, this.version === 2 ? { query: auth } : { auth });
    const inboxes = {};
    const keep = (name, event) => {
      inboxes[name] = new Inbox();
      socket.on(event, (...args) => inboxes[name].put(args));
    };
    keep("connect", "connect");
    keep("disconnect", "disconnect");
    keep("refused", this.version === 2 ? "error" : "connect_error");
    for (const event of this.received) keep(event, event);
    return { socket, inboxes };
  }

  #ask(as, event, args) {
    const { socket } = this.#sockets.get(as);
    return within(new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))), `the answer to "${event}"`, PATIENCE);
  }
}

/** `{"$bytes":"0aff"}` is bytes, at any depth. */
function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$bytes === "string") return Buffer.from(value.$bytes, "hex");
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decode(one)]));
}
