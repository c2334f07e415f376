// The messages at the end of the page that are not in the conversation yet, and what to say of each.
// Pure.
import type { Entry, Report } from "./outbox";
import type { Timeline } from "./timeline";

/** One of them. */
export interface Item {
  readonly entry: Entry;
  readonly state: "waiting" | "sending" | "stored" | "failed";
  /** The state in words. */
  readonly note: string;
}

export class Pending {
  #entries: Entry[] = [];
  // Stored by the server, but not come back in the stream yet; gone when it has.
  #stored = new Map<string, { entry: Entry; offset: number; epoch: string | undefined }>();
  // Why the server asked to send later; about entries only.
  #later = new Map<string, string>();

  /** Takes what the outbox holds now. */
  update(entries: Entry[]): void {
    this.#entries = entries;
    const keys = new Set(entries.map((entry) => entry.key));
    for (const key of this.#later.keys()) if (!keys.has(key)) this.#later.delete(key);
  }

  /** Takes the outcome of an attempt. */
  report({ key, verdict }: Report): void {
    this.#later.delete(key);
    if (verdict.kind === "later") this.#later.set(key, LATER[verdict.error] ?? LATER["unknown"]!);
    const entry = this.#entries.find((entry) => entry.key === key);
    if (verdict.kind === "stored" && verdict.offset !== undefined && entry) {
      this.#stored.set(key, { entry, offset: verdict.offset, epoch: verdict.epoch });
    }
  }

  /** Whether this browser has a message with this key on its way. */
  has(key: string): boolean {
    return this.#stored.has(key) || this.#entries.some((entry) => entry.key === key);
  }

  /** What to show after the rows of `timeline`, in the order of sending. */
  items(timeline: Timeline, connected: boolean): Item[] {
    for (const [key, { offset, epoch }] of this.#stored) {
      const arrived = timeline.cursor !== undefined && timeline.cursor >= offset;
      if (arrived || (epoch !== undefined && timeline.epoch !== undefined && epoch !== timeline.epoch)) this.#stored.delete(key);
    }
    if (this.#entries.length === 0 && this.#stored.size === 0) return [];
    // A row may come back before its ack does. It is looked for where new rows are: at the end.
    const shown = new Set(timeline.rows.slice(-LOOK_BACK).map((row) => row.key));
    const stored = [...this.#stored.values()].map(({ entry }): Item => ({ entry, state: "stored", note: "Stored" }));
    const waiting = this.#entries
      .filter((entry) => entry.failure || (!shown.has(entry.key) && !this.#stored.has(entry.key)))
      .map((entry) => this.#item(entry, connected));
    return [...stored, ...waiting];
  }

  #item(entry: Entry, connected: boolean): Item {
    if (entry.failure) {
      const { error, message } = entry.failure;
      const why = FAILED[error] ?? "The server refused this message";
      return { entry, state: "failed", note: message ? `${why}: ${message}` : why };
    }
    if (!connected) return { entry, state: "waiting", note: "Waiting for the connection" };
    const later = this.#later.get(entry.key);
    return later ? { entry, state: "waiting", note: later } : { entry, state: "sending", note: "Sending" };
  }
}

const LATER: Record<string, string> = {
  busy: "The server is busy, trying again",
  unavailable: "The server cannot store messages now, trying again",
  timeout: "No answer yet, trying again",
  unknown: "The server's answer was not understood, trying again",
};

const FAILED: Record<string, string> = {
  invalid: "Not sent. The server does not accept this message",
  conflict: "Not sent. The server has another message under this one's key",
};

const LOOK_BACK = 1_000;
