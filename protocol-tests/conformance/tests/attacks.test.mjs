// Plays attacks.json: each attack is a few steps of bytes and what must come of them, while a bystander keeps its echo.
//
// Steps: `join` a Socket.IO session over a carrier, or `poll` for an Engine.IO one; `packets` and `post` send on it.
// `upgrade` opens a WebSocket by hand and `frame` sends on it; `write` is bytes on a fresh connection.
// Bytes are lists of text, `{hex}`, `{repeat, times}` and `{bytes: count}`. `times` repeats a step.
// Expectations, alone or one per target: `status` (`orEnd`: who still writes may lose the answer to a reset), `closed`,
// `echo`, `reason`. The bystander is checked always, and memory unless `keepsMemory` says why it stays.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { frame, RawWebSocket } from "../lib/frames.mjs";
import { group } from "../lib/groups.mjs";
import { PacketClient } from "../lib/packets.mjs";
import { carriers, observe, PollingSession, WebSocketSession } from "../lib/sessions.mjs";
import { server, target as targetName } from "../lib/target.mjs";
import { pause, within } from "../lib/wait.mjs";
import { request, Wire } from "../lib/wire.mjs";

const attacks = JSON.parse(await readFile(new URL("../attacks.json", import.meta.url)));

// The verdict of the advisories: an echo within 250 ms, and after the attack no more than 4 MB above what was held before.
// The reference has one thread and a garbage collector, and makes no such promises.
const MEMORY_LEFT = 4 * 1024 * 1024;
const PATIENCE_OF_BYSTANDER = targetName === "ours" ? 250 : 10_000;

group("Advisories", () => {
  for (const { name, steps, expect, keepsMemory, targets = ["reference", "ours"] } of attacks) {
    if (!targets.includes(targetName)) continue;
    test(name, async (t) => {
      const target = await server();
      const observer = await observe(t, target);
      const before = await observer.open();
      const memory = await residentBytes(target.pid);
      const bystander = await Bystander.open(t, target);
      const state = { target, wires: [] };
      for (const step of steps) await play(step, state);
      await meets(expect[targetName] ?? expect, state, observer);
      for (const wire of state.wires) wire.destroy();
      // A session whose handlers never finish is not read any more, so it cannot say goodbye.
      if (state.session?.vanish) state.session.vanish();
      else await state.session?.leave().catch(() => {});
      await bystander.leave();
      await until(async () => (await observer.open()) <= before, "the sessions of the attack to be gone");
      if (targetName === "ours" && !keepsMemory) {
        await until(async () => (await residentBytes(target.pid)) < memory + MEMORY_LEFT, "the memory to be as it was");
      }
    });
  }
});

async function play(step, state) {
  for (let i = 0; i < (step.times ?? 1); i += 1) await playOnce(step, state);
}

async function playOnce(step, state) {
  const { target } = state;
  if (step.join) {
    const Carrier = carriers.find((one) => one.transport === step.join);
    state.client = await PacketClient.join(Carrier, target);
    state.session = state.client.session;
  } else if (step.poll) {
    state.session = await PollingSession.open(target, step.poll);
    if (step.leave) await state.session.leave();
  } else if (step.packets) {
    const packets = step.joined ? [bytesOf(step.packets).toString()] : step.packets.map((one) => (typeof one === "string" ? one : bytesOf([one])));
    // Over polling, or with the session gone already, the answer may be a refusal: what is expected is asked later.
    await state.client.send(...packets).catch(() => {});
  } else if (step.post) {
    await post(step, state);
  } else if (step.upgrade) {
    const extra = bytesOf(step.extra ?? []);
    const raw = await RawWebSocket.open(target, step.upgrade, { headers: step.headers, extra });
    state.raw = raw;
    state.response = raw.response;
    state.wires.push(raw.wire);
    if (raw.response.status === 101 && !step.extra) state.sid = JSON.parse((await raw.nextText()).slice(1)).sid;
    if (step.stopReading) raw.wire.stopReading();
  } else if (step.frame) {
    if (!state.raw.wire.ended) await state.raw.wire.write(frame(step.frame));
  } else if (step.write) {
    const wire = await Wire.open(target.port);
    state.wires.push(wire);
    await wire.write(bytesOf(step.write));
    for (let i = 0; i < (step.thenTimes ?? 0) && !wire.ended; i += 1) await wire.write(bytesOf(step.then));
    if (step.reset) wire.reset();
    else state.wire = wire;
  }
}

/** The head of a POST once, then its body as often as the step says. */
async function post(step, state) {
  if (!state.wire) {
    state.wire = await Wire.open(state.target.port);
    state.wires.push(state.wire);
    const headers = { ...step.headers };
    if (!headers["content-length"] && !headers["transfer-encoding"]) headers["content-length"] = bytesOf(step.post).length;
    await state.wire.write(request("POST", state.session.url, { headers }));
  }
  if (!state.wire.ended) await state.wire.write(bytesOf(step.post));
}

async function meets({ status, orEnd, closed, echo, reason }, state, observer) {
  if (status) {
    state.response ??= await state.wire.response().catch((error) => {
      if (!orEnd || !state.wire.ended) throw error;
    });
    if (state.response) assert.ok(status.includes(state.response.status), `status ${state.response.status}, not ${status.join(" or ")}`);
  }
  if (closed) {
    if (state.raw) await state.raw.wire.end();
    else await (state.client ?? state.session).ended();
  }
  if (reason) assert.deepEqual(await observer.reasons(state.sid), [reason]);
  if (echo) {
    if (state.client) await state.client.echoes();
    else {
      await state.raw.send("4still here");
      assert.equal(await state.raw.nextText(), "4still here");
    }
  }
}

function bytesOf(parts) {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(part);
      if (part.hex) return Buffer.from(part.hex, "hex");
      if (part.repeat) return Buffer.from(part.repeat.repeat(part.times));
      return Buffer.alloc(part.bytes);
    }),
  );
}

async function until(done, what) {
  const start = performance.now();
  while (!(await done())) {
    if (performance.now() - start > 5000) throw new Error(`waited in vain for ${what}`);
    await pause(20);
  }
}

/** What the process holds in memory, as Linux says it. */
async function residentBytes(pid) {
  const [, pages] = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ");
  return Number(pages) * 4096;
}

/** Connected before the attack and well-behaved: it must get its echo in time as long as the attack lasts, and after it. */
class Bystander {
  #session;
  #leaving = false;
  #done;

  static async open(t, target) {
    const bystander = new Bystander(await WebSocketSession.open(target));
    t.after(() => bystander.#session.vanish());
    return bystander;
  }

  constructor(session) {
    this.#session = session;
    this.#done = this.#echo();
    this.#done.catch(() => {});
  }

  async #echo() {
    for (let i = 0; !this.#leaving; i += 1) {
      await this.#session.send(`4${i}`);
      assert.equal(await within(this.#session.next(), "the bystander's echo", PATIENCE_OF_BYSTANDER), `4${i}`);
      await pause(5);
    }
  }

  /** Fails if an echo was late. */
  async leave() {
    this.#leaving = true;
    await this.#done;
    await this.#session.leave();
  }
}
