// The two servers of a run, for each set of options, and a witness on each who asks what became of sessions and sockets.

import { launch } from "../lib/target.mjs";
import { Inbox, pause } from "../lib/wait.mjs";
import { Socket } from "./connections.mjs";
import { Msgpack, Plain } from "./parsers.mjs";

/** The sets of options by the name that cases use. */
export const variants = {
  default: {},
  small: { maxPayload: 1000 },
  cookie: { cookie: {}, initialPacket: "hi", transports: ["polling"] },
  cors: { cors: { origin: ["http://example.com", "http://127.0.0.1"], credentials: true, exposedHeaders: ["x-one"], maxAge: 60 }, allowUpgrades: false },
  "webSocket only": { transports: ["websocket"] },
  eio3: { allowEIO3: true },
  msgpack: { parser: "msgpack" },
};

const PONG = { text: "3" };

export class Servers {
  #running = new Map(); // "target variant" -> promise of { port, child, log, witness }
  /** How often a process had to be started again, by target. */
  deaths = { reference: 0, ours: 0 };
  /** What the last process to die of each target had to say. */
  lastWords = { reference: "", ours: "" };

  /** A server that is alive. */
  async get(target, variant = "default") {
    const key = `${target} ${variant}`;
    const starting = this.#running.get(key);
    if (starting !== undefined && !isDead(await starting)) return starting;
    // Others may have found it dead at the same time.
    if (this.#running.get(key) === starting) {
      this.#running.set(key, start(target, variants[variant]));
      if (starting !== undefined) this.#bury(target, await starting);
    }
    return this.get(target, variant);
  }

  /** Whether a process has ended since it was handed out. */
  static died(server) {
    return isDead(server);
  }

  /** What ours wrote that no server may write: the text of a panic, or null. */
  async panic() {
    const logs = await Promise.all([...this.#running].filter(([key]) => key.startsWith("ours")).map(async ([, running]) => (await running).log.text));
    const all = [this.lastWords.ours, ...logs].join("\n");
    return /panicked at[^]{0,500}/.exec(all)?.[0] ?? null;
  }

  async stop() {
    for (const running of this.#running.values()) {
      const { child, witness } = await running;
      witness?.hangUp();
      child.stdin.end();
    }
  }

  #bury(target, server) {
    server.witness?.hangUp();
    this.deaths[target] += 1;
    this.lastWords[target] = server.log.text;
  }
}

function isDead({ child }) {
  return child.exitCode !== null || child.signalCode !== null;
}

async function start(target, options) {
  const { child, log, ready } = launch(target, JSON.stringify(options));
  const server = await ready;
  // Nobody asks for more than handshakes where there is no WebSocket.
  const witness = options.transports?.includes("websocket") === false ? null : await Witness.open(server, options.parser === "msgpack" ? Msgpack : Plain);
  return { ...server, child, log, witness };
}

/** One well-behaved client of each kind that stays for the whole run. */
class Witness {
  #parser;
  #engine;
  #socket;
  #statuses = new Inbox();
  #answers = new Map(); // ack id -> resolve
  #asked = 0;

  static async open(server, parser) {
    const witness = new Witness(parser);
    witness.#engine = await Socket.dial(server, "/engine.io/?EIO=4&transport=websocket");
    witness.#socket = await Socket.dial(server, "/socket.io/?EIO=4&transport=websocket");
    await witness.#engine.next();
    await witness.#socket.next();
    await witness.#socket.send(parser.join);
    await witness.#socket.next();
    witness.#listen(witness.#engine, ({ text }) => witness.#statuses.put(JSON.parse(text.slice(1))));
    witness.#listen(witness.#socket, (received) => {
      const answer = parser.answer(received);
      witness.#answers.get(answer?.id)?.(answer.data[0]);
      witness.#answers.delete(answer?.id);
    });
    return witness;
  }

  constructor(parser) {
    this.#parser = parser;
  }

  /** What became of a session of Engine.IO, once it has ended, in lines: messages received, and the close reasons. */
  async fate(sid) {
    let status;
    for (let tries = 0; tries < 200; tries += 1) {
      await this.#engine.send({ text: `4!status ${sid}` });
      status = await this.#statuses.take("a status");
      if (status === null || status.reasons.length > 0) break;
      await pause(5);
    }
    return status === null ? ["never opened"] : [`messages received: ${status.messages}`, `ended by: ${status.reasons.join(", ") || "nothing yet"}`];
  }

  /** Why a socket of Socket.IO left. */
  async left(id) {
    const asked = (this.#asked += 1);
    const answer = new Promise((resolve) => this.#answers.set(asked, resolve));
    await this.#socket.send(this.#parser.ask(asked, "left", id));
    const none = pause(2000).then(() => ["nothing yet"]);
    return (await Promise.race([answer, none])).join(", ");
  }

  hangUp() {
    this.#engine.hangUp();
    this.#socket.hangUp();
  }

  async #listen(session, take) {
    while (!session.closed) {
      const received = await session.next(2 ** 31 - 1);
      if (received.text === "2") await session.send(PONG);
      else if (!session.closed) take(received);
    }
    this.#statuses.end("the witness's session has ended");
  }
}
