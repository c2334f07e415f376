// What the official client keeps: its outbox and its cursor, as a journal in one file, for one that is killed and comes
// again. The contract of the outbox is `OutboxStore` in web/src/outbox.ts.

import { appendFileSync, readFileSync, truncateSync } from "node:fs";

export class FileStore {
  #file;
  #entries = new Map();
  #added;
  /** The cursor and the epoch that were kept last. */
  place = {};

  /** `added` is called for each entry that is there from now on, before anybody can send it. */
  constructor(file, added) {
    this.#file = file;
    this.#added = added;
    let text = "";
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    // Who was killed while it wrote has left half a line, and nobody knows of it.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole !== text) truncateSync(file, Buffer.byteLength(whole));
    for (const line of whole.split("\n").slice(0, -1)) this.#apply(JSON.parse(line));
    for (const entry of this.#entries.values()) added(entry);
  }

  of(key) {
    return this.#entries.get(key);
  }

  async add(entry, limit) {
    if (this.#entries.size >= limit) throw new Error("the outbox is full");
    this.#write({ entry });
    this.#added(entry);
  }

  async all() {
    return [...this.#entries.values()];
  }

  async fail(key) {
    // Nobody looks at what was refused.
    this.#write({ remove: key });
  }

  async remove(key) {
    this.#write({ remove: key });
  }

  keep(place) {
    this.#write({ place });
  }

  #write(step) {
    appendFileSync(this.#file, `${JSON.stringify(step)}\n`);
    this.#apply(step);
  }

  #apply({ entry, remove, place }) {
    if (entry) this.#entries.set(entry.key, entry);
    if (remove) this.#entries.delete(remove);
    if (place) this.place = place;
  }
}
