// What survives a reload: this browser's client id, and the newest messages with their cursor.
//
// The messages are one unbroken range of offsets of one epoch, and the range is written in the same
// transaction as its rows. Every tab has a view of its own and continues from its own cursor; the
// archive only ever grows at its ends by what fits on, or is replaced by a newer range as a whole.
// So whichever tabs write, in whatever order, a reload finds a true piece of the conversation.
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { randomId } from "./outbox";
import type { Row } from "./timeline";

/** What a page starts from. */
export interface Kept {
  readonly epoch: string;
  /** Undefined if nothing of this epoch has been seen yet. */
  readonly cursor: number | undefined;
  /** Our public id in this epoch, once known. */
  readonly self: string | undefined;
  readonly rows: Row[];
}

/** What the archive says about its rows. */
export interface Label {
  readonly epoch: string;
  readonly self?: string;
  /** Missing until the first message of the epoch has been seen. */
  readonly range?: Range;
  /** What the server keeps begins here: no tab brings back what is older. */
  readonly oldest?: number;
}

/** `last` is the cursor, `first` the oldest kept offset: `last + 1` if the conversation is empty. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** How the archive takes in a tab's rows. */
export interface Plan {
  readonly clear: boolean;
  readonly put: readonly Row[];
  /** Rows older than this go. */
  readonly keepFrom: number;
  readonly label: Label;
}

export class Archive {
  readonly #db: IDBPDatabase<Schema>;
  readonly #limit: number;

  private constructor(db: IDBPDatabase<Schema>, limit: number) {
    this.#db = db;
    this.#limit = limit;
  }

  /** Opens, or creates, the IndexedDB database `name`, which keeps at most `limit` messages. */
  static async open(name: string, limit = ROWS_MAX): Promise<Archive> {
    const db = await openDB<Schema>(name, 1, {
      upgrade(db, _old, _new, transaction) {
        db.createObjectStore("messages", { keyPath: "offset" });
        db.createObjectStore("facts");
        // Made together with the database, hence once for all tabs, whichever comes first.
        void transaction.objectStore("facts").put(randomId(), "clientId");
      },
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
    return new Archive(db, limit);
  }

  /** The secret name of this browser, from which the server derives the public one. */
  async clientId(): Promise<string> {
    return (await this.#db.get("facts", "clientId")) as string;
  }

  /** What was kept last. */
  async load(): Promise<Kept | undefined> {
    const transaction = this.#db.transaction(["facts", "messages"]);
    const label = (await transaction.objectStore("facts").get("label")) as Label | undefined;
    const rows = await transaction.objectStore("messages").getAll();
    await transaction.done;
    return label && { epoch: label.epoch, cursor: label.range?.last, self: label.self, rows };
  }

  /** Takes in what a tab holds: `rows` up to `cursor`. */
  save(epoch: string, cursor: number, rows: readonly Row[]): Promise<void> {
    return this.#change((label) => plan(label, epoch, cursor, rows, this.#limit));
  }

  /** Starts over in `epoch`, because the server has said that a cursor of the epoch `from` does not fit. */
  reset(from: string | undefined, epoch: string): Promise<void> {
    return this.#change((label) => {
      // Another tab was told before us and has begun to fill the new epoch already.
      if (label?.epoch === epoch && from !== epoch) return undefined;
      const self = label?.epoch === epoch ? label.self : undefined;
      return { clear: true, put: [], keepFrom: 0, label: { epoch, ...(self ? { self } : {}) } };
    });
  }

  /** Drops what the server has forgotten: everything of `epoch` before `first`. */
  forget(epoch: string, first: number): Promise<void> {
    return this.#change((label) => {
      if (label?.epoch !== epoch || first <= (label.oldest ?? 1)) return undefined;
      const { range } = label;
      // The cursor stays: whether anything was missed after it is the server's to say.
      const left = range && { first: Math.min(Math.max(range.first, first), range.last + 1), last: range.last };
      return { clear: false, put: [], keepFrom: first, label: { ...label, oldest: first, ...(left ? { range: left } : {}) } };
    });
  }

  /** Remembers our public id. */
  learn(epoch: string, self: string): Promise<void> {
    return this.#change((label) => {
      if (label?.epoch !== epoch) return undefined;
      return { clear: false, put: [], keepFrom: 0, label: { ...label, self } };
    });
  }

  async #change(decide: (label: Label | undefined) => Plan | undefined): Promise<void> {
    const transaction = this.#db.transaction(["facts", "messages"], "readwrite");
    const done = transaction.done;
    try {
      const facts = transaction.objectStore("facts");
      const messages = transaction.objectStore("messages");
      const plan = decide((await facts.get("label")) as Label | undefined);
      if (plan) {
        const steps: Promise<unknown>[] = [];
        if (plan.clear) steps.push(messages.clear());
        for (const row of plan.put) steps.push(messages.put(row));
        steps.push(messages.delete(IDBKeyRange.upperBound(plan.keepFrom, true)));
        steps.push(facts.put(plan.label, "label"));
        await Promise.all(steps);
      }
    } finally {
      await done;
    }
  }
}

/** Decides what becomes of the archive when a tab holds `rows` up to `cursor`. Undefined: nothing. */
export function plan(label: Label | undefined, epoch: string, cursor: number, rows: readonly Row[], limit: number): Plan | undefined {
  // A tab that has not heard of the new epoch yet must not bring the old one back.
  if (label && label.epoch !== epoch) return undefined;
  const kept = label?.range;
  const first = rows[0]?.offset ?? cursor + 1;
  const touches = kept !== undefined && first <= kept.last + 1 && cursor >= kept.first - 1;
  // Apart from what is kept, the newer piece stays: two pieces would not be one conversation.
  if (kept && !touches && cursor <= kept.last) return undefined;

  const last = touches ? Math.max(kept.last, cursor) : cursor;
  const oldest = Math.min(label?.oldest ?? 1, last + 1);
  const keepFrom = Math.max(touches ? Math.min(kept.first, first) : first, last - limit + 1, oldest);
  const isKept = (offset: number) => touches && offset >= kept.first && offset <= kept.last;
  const put = rows.filter((row) => row.offset >= keepFrom && !isKept(row.offset));
  if (touches && put.length === 0 && last === kept.last) return undefined;
  return { clear: !touches, put, keepFrom, label: { ...label, epoch, range: { first: keepFrom, last } } };
}

interface Schema extends DBSchema {
  messages: { key: number; value: Row };
  facts: { key: string; value: string | Label };
}

const ROWS_MAX = 1_000;
