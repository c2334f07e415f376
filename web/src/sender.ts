// The one place messages leave from: the durable outbox, and one in memory where storage fails.
//
// As long as the browser stores what it is given, every message goes through the durable outbox. The
// first time it does not, this tab turns to memory for the rest of its life, and says so. What is in
// memory waits until the durable outbox is empty, so the order of typing stays the order of sending.
import { type Channel, type Entry, type Link, type Locks, Outbox, OutboxFullError, type OutboxStore, type Report } from "./outbox";
import { MemoryStore } from "./outbox-store";

export interface SenderOptions {
  link: Link;
  /** Missing where the browser offers no storage. */
  durable: OutboxStore | undefined;
  locks: Locks | undefined;
  channel: Channel | undefined;
  onEntries(entries: Entry[]): void;
  onReport(report: Report): void;
  /** Called when the durable outbox fails. */
  onTrouble(error: unknown): void;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #durable: Outbox | undefined;
  readonly #memory: Outbox;
  readonly #gate: Gate;
  #useMemory: boolean;
  #inDurable: Entry[] = [];
  #inMemory: Entry[] = [];

  constructor(options: SenderOptions) {
    const { link, durable, locks, channel, onReport } = options;
    this.#options = options;
    this.#useMemory = durable === undefined;
    this.#gate = new Gate(link);
    this.#memory = new Outbox({
      store: new MemoryStore(),
      link: this.#gate,
      onReport,
      onEntries: (entries) => {
        this.#inMemory = entries;
        this.#tell();
      },
    });
    this.#durable = durable && new Outbox({
      store: durable,
      link,
      locks,
      channel,
      lockName: "chat-outbox",
      onReport,
      onEntries: (entries) => {
        this.#inDurable = entries;
        this.#gate.set(entries.every((entry) => entry.failure));
        this.#tell();
      },
      // Storage that cannot even be read keeps nobody waiting.
      onTrouble: (error) => {
        this.#gate.set(true);
        options.onTrouble(error);
      },
    });
    this.#gate.set(durable === undefined);
  }

  /** Takes a message. Rejects with `OutboxFullError` if too many are waiting, and for nothing else. */
  async send(content: string): Promise<void> {
    if (this.#durable && !this.#useMemory) {
      try {
        await this.#durable.add(content);
        return;
      } catch (error) {
        if (error instanceof OutboxFullError) throw error;
        this.#options.onTrouble(error);
        this.#useMemory = true;
      }
    }
    // The gate goes by the last reading, which may be older than what was stored last.
    await this.#durable?.refresh();
    await this.#memory.add(content);
  }

  /** Whether closing the page now would lose a message. */
  get atRisk(): boolean {
    return this.#inMemory.some((entry) => !entry.failure);
  }

  /** Sends a refused message again. */
  async retry(entry: Entry): Promise<void> {
    await this.#home(entry).retry(entry);
  }

  /** Forgets a refused message. */
  async discard(entry: Entry): Promise<void> {
    await this.#home(entry).discard(entry);
  }

  #home(entry: Entry): Outbox {
    const inMemory = this.#inMemory.some((other) => other.key === entry.key);
    return inMemory || !this.#durable ? this.#memory : this.#durable;
  }

  #tell(): void {
    this.#options.onEntries([...this.#inDurable, ...this.#inMemory]);
  }
}

/** A link that counts as connected only while it is open. */
class Gate implements Link {
  readonly #link: Link;
  readonly #listeners = new Set<() => void>();
  #open = false;

  constructor(link: Link) {
    this.#link = link;
  }

  get connected(): boolean {
    return this.#open && this.#link.connected;
  }

  set(open: boolean): void {
    if (this.#open === open) return;
    this.#open = open;
    for (const listener of this.#listeners) listener();
  }

  send(entry: Entry): Promise<unknown> {
    return this.#link.send(entry);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    const off = this.#link.onChange(listener);
    return () => {
      this.#listeners.delete(listener);
      off();
    };
  }
}
