// A durable queue of messages for any page that uses the official Socket.IO client.
//
// A message is written to the store before it is sent and removed after the server has answered,
// so it survives a reload, a crash and a server that is away. One message is in flight at a time,
// hence the order of sending is the order of storing. Every message keeps the key it was given
// when it was added, through all repeats: a server that stores a key once stores the message once.
//
//     import { io } from "socket.io-client";
//     import { Outbox, socketLink } from "./outbox";
//     import { openOutboxStore } from "./outbox-store";
//
//     const socket = io();
//     const outbox = new Outbox({
//       store: await openOutboxStore("my-outbox"),
//       link: socketLink(socket, "chat message"),
//       locks: navigator.locks, // one tab at a time sends: one that has a connection
//       channel: new BroadcastChannel("my-outbox"), // the others tell it that there is work
//       onEntries: (entries) => show(entries), // what waits, and what was refused and why
//     });
//     await outbox.add("hello"); // from here on the message cannot be lost
//
// The event is emitted as (content, key, ack). The server answers the ack with nothing or with
// {offset, epoch, duplicate} when the message is stored, with {error: "invalid" | "conflict",
// message} when it never will be, and with {error: "busy" | "unavailable", message} when it should
// be sent again later. An answer of any other shape counts as "later": nothing is dropped on a guess.

/** One message in the queue. */
export interface Entry {
  /** Names the message for ever: `<random id>-<n>`. */
  readonly key: string;
  readonly content: string;
  /** When it was added, in milliseconds since 1970; for display only. */
  readonly at: number;
  /** Set once the server has refused it for good. Such an entry waits for `retry` or `discard`. */
  readonly failure?: Failure;
}

/** Why the server refused a message. */
export interface Failure {
  readonly error: string;
  readonly message: string;
}

/** Where entries are kept. Each method is one atomic step; `all` answers in the order of adding. */
export interface OutboxStore {
  /** Rejects with `OutboxFullError`, and changes nothing, if `limit` entries are there already. */
  add(entry: Entry, limit: number): Promise<void>;
  all(): Promise<Entry[]>;
  /** Does nothing if the entry is gone. */
  fail(key: string, failure: Failure): Promise<void>;
  /** Does nothing if the entry is gone. */
  remove(key: string): Promise<void>;
  /** Puts `entry` at the end in place of `key`, unless `key` is gone: then answers false. */
  replace(key: string, entry: Entry): Promise<boolean>;
}

/** The way to the server. */
export interface Link {
  readonly connected: boolean;
  /** Must settle: with the server's answer, or by rejecting when none came. */
  send(entry: Entry): Promise<unknown>;
  /** Calls back whenever `connected` may have changed, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** The part of `navigator.locks` that is used. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, held: () => Promise<void>): Promise<unknown>;
}

/** The part of a `BroadcastChannel` that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => unknown) | null;
  close(): void;
}

/** What an answer means for the message it is about. */
export type Verdict =
  | { readonly kind: "stored"; readonly offset?: number; readonly epoch?: string; readonly duplicate: boolean }
  | { readonly kind: "refused"; readonly error: string; readonly message: string }
  | { readonly kind: "later"; readonly error: string; readonly message: string };

/** The outcome of one attempt, told to every tab. */
export interface Report {
  readonly key: string;
  readonly verdict: Verdict;
}

/** Rejection of `add` when the queue holds as many entries as it may. */
export class OutboxFullError extends Error {
  override name = "OutboxFullError";
}

export interface OutboxOptions {
  store: OutboxStore;
  link: Link;
  /** Without it this outbox sends at once: right for a store of its own, and safe, though wasteful,
   * for a shared one as long as the server stores each key once. */
  locks?: Locks | undefined;
  lockName?: string;
  channel?: Channel | undefined;
  /** Called with all entries after each change, whichever tab made it. */
  onEntries?: (entries: Entry[]) => void;
  /** Called with each outcome, whichever tab sent the message. */
  onReport?: (report: Report) => void;
  /** Called when the store fails while sending; sending goes on when it works again. */
  onTrouble?: (error: unknown) => void;
  /** The most entries the store may hold, refused ones included. */
  limit?: number;
  /** The pause after the first "later", doubled each time up to `pauseMax`, halved at most by chance. */
  pauseMin?: number;
  pauseMax?: number;
  random?: () => number;
  now?: () => number;
  newId?: () => string;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sender: string;
  readonly #work = new Bell();
  readonly #line = new Bell();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #offChange: () => void;
  // Final answers that the store does not know yet; the next message is sent when it does.
  readonly #settled = new Map<string, Verdict>();
  #count = 0;
  #reading: Promise<void> | undefined;
  #readAgain = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#sender = (options.newId ?? randomId)();
    this.#offChange = options.link.onChange(() => {
      this.#line.ring();
      this.#work.ring();
    });
    if (options.channel) options.channel.onmessage = (event) => this.#hear(event.data);
    this.#ended = this.#own();
    void this.refresh();
  }

  /** Stores a message at the end of the queue. Once this resolves, the message is safe. */
  async add(content: string): Promise<Entry> {
    const entry = this.#entry(content);
    await this.#options.store.add(entry, this.#options.limit ?? ENTRIES_MAX);
    this.#changed();
    return entry;
  }

  /** Sends a refused message again: at the end of the queue, under a new key. */
  async retry(failed: Entry): Promise<void> {
    await this.#options.store.replace(failed.key, this.#entry(failed.content));
    this.#changed();
  }

  /** Forgets a message. */
  async discard(entry: Entry): Promise<void> {
    await this.#options.store.remove(entry.key);
    this.#changed();
  }

  /** Reads the entries again and tells `onEntries`. Calls that overlap share one more reading. */
  refresh(): Promise<void> {
    if (this.#reading) {
      this.#readAgain = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Stops sending, waits for the answer in flight and passes the ownership on. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#offChange();
    this.#line.ring();
    this.#work.ring();
    await this.#ended;
    this.#options.channel?.close();
  }

  /** While there is a connection: waits for the ownership, then sends until the connection is gone. */
  async #own(): Promise<void> {
    const { link, lockName = "outbox" } = this.#options;
    const { signal } = this.#stop;
    let { locks } = this.#options;
    while (!signal.aborted) {
      this.#work.clear();
      if (!link.connected) {
        // Another tab may have a connection: what waits should not have to wait for ours.
        await this.#work.wait();
      } else if (!locks) {
        await this.#run();
      } else {
        try {
          await locks.request(lockName, { signal }, () => this.#run());
        } catch (error) {
          // Closing while waiting for the lock rejects the request; that is its ordinary end.
          if (signal.aborted) return;
          this.#options.onTrouble?.(error);
          locks = undefined;
        }
      }
    }
  }

  async #run(): Promise<void> {
    const { link } = this.#options;
    // Counted per connection: one that goes away under a message says nothing about the message.
    let tries = 0;
    while (!this.#stop.signal.aborted) {
      let verdict: Verdict;
      this.#work.clear();
      this.#line.clear();
      try {
        await this.#settle();
        const entry = await this.#next();
        if (!link.connected || this.#stop.signal.aborted) return;
        if (!entry) {
          await this.#work.wait();
          continue;
        }
        verdict = await this.#attempt(entry);
        if (verdict.kind !== "later") this.#settled.set(entry.key, verdict);
        this.#report({ key: entry.key, verdict });
        await this.#settle();
      } catch (error) {
        this.#options.onTrouble?.(error);
        verdict = { kind: "later", error: "storage", message: String(error) };
      }
      tries = verdict.kind === "later" ? tries + 1 : 0;
      if (tries > 0) await this.#pause(tries);
    }
  }

  async #next(): Promise<Entry | undefined> {
    const entries = await this.#options.store.all();
    return entries.find((entry) => !entry.failure);
  }

  async #attempt(entry: Entry): Promise<Verdict> {
    try {
      return judge(await this.#options.link.send(entry));
    } catch {
      return { kind: "later", error: "timeout", message: "no answer yet" };
    }
  }

  #report(report: Report): void {
    this.#options.onReport?.(report);
    this.#options.channel?.postMessage({ report });
  }

  /** Writes the final answers into the store. If it fails, they are kept and nothing is sent twice. */
  async #settle(): Promise<void> {
    const { store } = this.#options;
    for (const [key, verdict] of this.#settled) {
      if (verdict.kind === "refused") await store.fail(key, { error: verdict.error, message: verdict.message });
      else await store.remove(key);
      this.#settled.delete(key);
      this.#changed();
    }
  }

  /** Waits before the next try, until the connection changes at the longest. */
  async #pause(tries: number): Promise<void> {
    const { pauseMin = 500, pauseMax = 15_000, random = Math.random } = this.#options;
    const whole = Math.min(pauseMax, pauseMin * 2 ** Math.min(tries - 1, 20));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const elapsed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, whole * (0.5 + random() / 2));
    });
    await Promise.race([elapsed, this.#line.wait()]);
    clearTimeout(timer);
  }

  #entry(content: string): Entry {
    this.#count += 1;
    return { key: `${this.#sender}-${this.#count}`, content, at: (this.#options.now ?? Date.now)() };
  }

  #changed(): void {
    this.#work.ring();
    this.#options.channel?.postMessage({ changed: true });
    void this.refresh();
  }

  /** What another tab has told us. */
  #hear(data: unknown): void {
    const { report } = (data ?? {}) as { report?: Report };
    if (report) {
      this.#options.onReport?.(report);
    } else {
      this.#work.ring();
      void this.refresh();
    }
  }

  async #read(): Promise<void> {
    do {
      this.#readAgain = false;
      try {
        this.#options.onEntries?.(await this.#options.store.all());
      } catch (error) {
        this.#options.onTrouble?.(error);
      }
    } while (this.#readAgain);
  }
}

/** Sends entries as the event (content, key, ack) and waits `timeout` milliseconds for the ack. */
export function socketLink(socket: SocketLike, event: string, timeout = 10_000): Link {
  return {
    get connected() {
      return socket.connected;
    },
    send: (entry) => socket.timeout(timeout).emitWithAck(event, entry.content, entry.key),
    onChange(listener) {
      socket.on("connect", listener);
      socket.on("disconnect", listener);
      return () => {
        socket.off("connect", listener);
        socket.off("disconnect", listener);
      };
    },
  };
}

/** The part of the official client's `Socket` that is used. */
export interface SocketLike {
  readonly connected: boolean;
  timeout(milliseconds: number): { emitWithAck(event: string, ...args: unknown[]): Promise<unknown> };
  on(event: "connect" | "disconnect", listener: () => void): unknown;
  off(event: "connect" | "disconnect", listener: () => void): unknown;
}

/** What the server's answer means. */
export function judge(answer: unknown): Verdict {
  if (answer === undefined || answer === null) return { kind: "stored", duplicate: false };
  const { offset, epoch, duplicate, error, message } = answer as Record<string, unknown>;
  const text = typeof message === "string" ? message : "";
  if (error === "invalid" || error === "conflict") return { kind: "refused", error, message: text };
  if (Number.isSafeInteger(offset) && error === undefined) {
    const stored = { kind: "stored", offset: offset as number, duplicate: duplicate === true } as const;
    return typeof epoch === "string" ? { ...stored, epoch } : stored;
  }
  return { kind: "later", error: typeof error === "string" ? error : "unknown", message: text };
}

/** 128 random bits as 22 characters of the URL-safe alphabet. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Stays rung until it is cleared, so that nothing is missed between looking and waiting. One waiter. */
class Bell {
  #rung = false;
  #waiting: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiting?.();
  }

  clear(): void {
    this.#rung = false;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#rung) resolve();
      else this.#waiting = resolve;
    });
  }
}

const ENTRIES_MAX = 500;
