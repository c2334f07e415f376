// The two places an outbox can keep its entries: IndexedDB, and memory where there is no other.
import { type DBSchema, type IDBPDatabase, type IDBPObjectStore, openDB } from "idb";
import { type Entry, type Failure, OutboxFullError, type OutboxStore } from "./outbox";

/** Opens, or creates, the IndexedDB database `name`. `onLost` is called if the browser takes it away. */
export async function openOutboxStore(name: string, onLost?: () => void): Promise<OutboxStore> {
  const db = await openDB<Schema>(name, 1, {
    upgrade(db) {
      // The primary key is the place in the queue: the browser counts it up and never goes back.
      db.createObjectStore("entries", { autoIncrement: true }).createIndex("key", "key", { unique: true });
    },
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    terminated: () => onLost?.(),
  });
  return new IndexedDbStore(db);
}

interface Schema extends DBSchema {
  entries: { key: number; value: Entry; indexes: { key: string } };
}

type Entries = IDBPObjectStore<Schema, ["entries"], "entries", "readwrite">;

class IndexedDbStore implements OutboxStore {
  readonly #db: IDBPDatabase<Schema>;

  constructor(db: IDBPDatabase<Schema>) {
    this.#db = db;
  }

  async add(entry: Entry, limit: number): Promise<void> {
    await this.#change(async (entries) => {
      if ((await entries.count()) >= limit) throw new OutboxFullError(`${limit} messages are waiting already`);
      await entries.add(entry);
    });
  }

  all(): Promise<Entry[]> {
    return this.#db.getAll("entries");
  }

  async fail(key: string, failure: Failure): Promise<void> {
    await this.#change(async (entries) => {
      const cursor = await entries.index("key").openCursor(key);
      await cursor?.update({ ...cursor.value, failure });
    });
  }

  async remove(key: string): Promise<void> {
    await this.#change(async (entries) => {
      const cursor = await entries.index("key").openCursor(key);
      await cursor?.delete();
    });
  }

  async replace(key: string, entry: Entry): Promise<boolean> {
    return this.#change(async (entries) => {
      const cursor = await entries.index("key").openCursor(key);
      if (!cursor) return false;
      await cursor.delete();
      await entries.add(entry);
      return true;
    });
  }

  /** One transaction, on disk when the promise resolves, undone as a whole if a step fails. */
  async #change<T>(steps: (entries: Entries) => Promise<T>): Promise<T> {
    const transaction = this.#db.transaction("entries", "readwrite", { durability: "strict" });
    // A failed step aborts the transaction, which rejects `done` as well: one report is enough.
    const done = transaction.done.then(
      () => undefined,
      (error: unknown) => ({ error: error ?? new DOMException("aborted", "AbortError") }),
    );
    try {
      const result = await steps(transaction.store);
      const failed = await done;
      if (failed) throw failed.error;
      return result;
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        // It has ended already.
      }
      throw error;
    }
  }
}


/** Keeps entries until the page is closed. */
export class MemoryStore implements OutboxStore {
  #entries: Entry[] = [];

  async add(entry: Entry, limit: number): Promise<void> {
    if (this.#entries.length >= limit) throw new OutboxFullError(`${limit} messages are waiting already`);
    this.#entries.push(entry);
  }

  async all(): Promise<Entry[]> {
    return [...this.#entries];
  }

  async fail(key: string, failure: Failure): Promise<void> {
    this.#entries = this.#entries.map((entry) => (entry.key === key ? { ...entry, failure } : entry));
  }

  async remove(key: string): Promise<void> {
    this.#entries = this.#entries.filter((entry) => entry.key !== key);
  }

  async replace(key: string, entry: Entry): Promise<boolean> {
    const rest = this.#entries.filter((other) => other.key !== key);
    if (rest.length === this.#entries.length) return false;
    this.#entries = [...rest, entry];
    return true;
  }
}
