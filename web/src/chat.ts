// The conversation over one connection: the stream, the cursor, older pages, the state of the line.
import type { Socket } from "socket.io-client";
import type { Archive } from "./archive";
import type { Report } from "./outbox";
import { type Happening, next, type Status } from "./status";
import { parseRow, type Row, type Timeline } from "./timeline";

export interface ChatOptions {
  /** Not connected yet, with `auth` taken from `credentials`. */
  socket: Socket;
  timeline: Timeline;
  /** Missing where the browser offers no storage. */
  archive: Archive | undefined;
  /** Our public id, if it is known already. */
  self: string | undefined;
  /** Called when rows, status or anything else to be seen has changed. */
  onChange(): void;
  /** Called when the archive cannot be written. */
  onTrouble(error: unknown): void;
}

/** How far back the messages reach that are there. */
export type Past = "more" | "loading" | "failed" | "begins here";

export class Chat {
  readonly timeline: Timeline;
  readonly #socket: Socket;
  readonly #archive: Archive | undefined;
  readonly #options: ChatOptions;
  #status: Status = { kind: "connecting" };
  #self: string | undefined;
  // Where an acked message of ours will come in the stream, which tells us our public id.
  #ours: number | undefined;
  #past: "idle" | "loading" | "failed" = "idle";
  // From where on the server has messages, as far as we know.
  #oldest = 1;
  // Up to where the server had messages when we connected.
  #tail = 0;
  #saving: Promise<void> | undefined;
  #retries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #question: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ChatOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#archive = options.archive;
    this.timeline = options.timeline;
    this.#self = options.self;
    this.#listen();
  }

  get status(): Status {
    return this.#status;
  }

  /** Our public id, once known. */
  get self(): string | undefined {
    return this.#self;
  }

  get past(): Past {
    const first = this.timeline.rows[0]?.offset ?? 1;
    if (first <= this.#oldest) return "begins here";
    return this.#past === "idle" ? "more" : this.#past;
  }

  /** Whether messages are still coming that were there before we connected. */
  get catchingUp(): boolean {
    return (this.timeline.cursor ?? 0) < this.#tail;
  }

  connect(): void {
    clearTimeout(this.#retry);
    this.#socket.connect();
  }

  /** Does not wait for the next attempt: the network is back, or the person is. */
  hurry(): void {
    if (this.#socket.connected) return;
    this.#happen({ kind: "network" });
    this.#socket.disconnect();
    this.connect();
  }

  /** Loads a page of older messages, unless one is being loaded or there are none. */
  async loadOlder(): Promise<void> {
    const first = this.timeline.rows[0]?.offset;
    if (first === undefined || this.#past === "loading" || this.past === "begins here" || !this.#socket.connected) return;
    const { generation } = this.timeline;
    this.#past = "loading";
    this.#options.onChange();
    const page = await this.#fetch(first, PAGE).catch(() => undefined);
    if (generation !== this.timeline.generation) return;
    // Rows that have gone meanwhile have left nothing for the page to fit on, and nothing has failed.
    const moved = this.timeline.rows[0]?.offset !== first;
    const fits = page !== undefined && !moved && this.timeline.prepend(page.rows);
    this.#past = fits || moved ? "idle" : "failed";
    if (page) this.#forget(page.oldest);
    if (fits && page.rows.length === 0) this.#oldest = Math.max(this.#oldest, first);
    this.#changed();
  }

  /** Learns from the ack of one of our messages which of the authors we are. */
  recognise({ verdict }: Report): void {
    if (verdict.kind !== "stored" || verdict.offset === undefined || verdict.epoch === undefined) return;
    if (!this.timeline.adopt(verdict.epoch)) return;
    this.#ours = verdict.offset;
    this.#learn();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("connect", () => {
      this.#retries = 0;
      this.#past = "idle";
      this.#happen({ kind: "connected" });
      this.#askLater();
    });
    socket.on("disconnect", (reason) => {
      clearTimeout(this.#question);
      // After "io client disconnect" we connect again ourselves, at once.
      if (reason !== "io client disconnect") this.#happen({ kind: "lost" });
      if (reason === "io server disconnect") this.#again();
    });
    socket.on("connect_error", (error) => {
      // Still active: the client itself tries again. Otherwise the server has refused us.
      this.#happen({ kind: "failed", ...(socket.active ? {} : { reason: error.message }) });
      if (!socket.active) this.#again();
    });
    // A WebSocket that dies while it takes the place of long-polling leaves this client between the two:
    // it neither polls nor closes, and says it is connected, until its heartbeat is overdue.
    socket.io.on("open", () => {
      const { engine } = socket.io;
      const stuck = () => engine.readyState === "open" && this.#breakOff();
      engine.once("upgrading", () => engine.once("upgradeError", stuck));
    });
    socket.on("epoch", (epoch: unknown, last: unknown, first: unknown) => this.#begin(epoch, last, first));
    socket.on("resync", (notice: unknown) => {
      const { epoch, first, last } = (notice ?? {}) as Record<string, unknown>;
      if (typeof epoch !== "string") return;
      this.#startOver(epoch);
      this.#begin(epoch, last, first);
    });
    socket.on("unreadable", () => {
      // It will be the same the next time, until somebody has repaired it.
      this.#retries = RETRIES_MAX;
      this.#happen({ kind: "unreadable" });
    });
    socket.on("chat message", (content: unknown, offset: unknown, details: unknown) => {
      const row = parseRow(content, offset, details);
      if (row) this.#take(row);
    });
  }

  /** The server has told its epoch, its last offset, and the first one that it keeps. */
  #begin(epoch: unknown, last: unknown, first: unknown): void {
    if (typeof epoch !== "string") return;
    if (!this.timeline.adopt(epoch)) this.#startOver(epoch);
    if (Number.isSafeInteger(first)) this.#forget(first as number);
    if (Number.isSafeInteger(last)) this.#tail = last as number;
    if (this.#tail === 0) this.timeline.startEmpty();
    this.#changed();
  }

  #startOver(epoch: string): void {
    const from = this.timeline.epoch;
    if (from !== epoch) this.#self = undefined;
    this.#ours = undefined;
    this.#oldest = 1;
    this.#past = "idle";
    this.timeline.reset(epoch);
    this.#archive?.reset(from, epoch).catch(this.#options.onTrouble);
    this.#options.onChange();
  }

  /** What the server has forgotten is forgotten here too: in sight, and in the archive. */
  #forget(first: number): void {
    const { epoch } = this.timeline;
    if (first <= this.#oldest || epoch === undefined) return;
    this.#oldest = first;
    this.timeline.forget(first);
    this.#archive?.forget(epoch, first).catch(this.#options.onTrouble);
    this.#changed();
  }

  /** Asks now and then what the server has forgotten while we are connected. */
  #askLater(): void {
    clearTimeout(this.#question);
    this.#question = setTimeout(() => void this.#ask(), ASK_EVERY);
  }

  async #ask(): Promise<void> {
    const { generation } = this.timeline;
    const page = await this.#fetch(0, 0).catch(() => undefined);
    if (page && generation === this.timeline.generation) this.#forget(page.oldest);
    if (this.#socket.connected) this.#askLater();
  }

  #take(row: Row): void {
    const outcome = this.timeline.accept(row);
    if (outcome === "hole") {
      // Never shown out of order: the server is asked again, from the cursor.
      this.#breakOff();
      return;
    }
    if (outcome === "added") {
      this.#learn();
      this.#changed();
    }
  }

  #learn(): void {
    const row = this.#ours === undefined ? undefined : this.timeline.at(this.#ours);
    if (!row) return;
    this.#ours = undefined;
    const { epoch } = this.timeline;
    if (row.author === "" || row.author === this.#self || epoch === undefined) return;
    this.#self = row.author;
    this.#archive?.learn(epoch, row.author).catch(this.#options.onTrouble);
    this.#options.onChange();
  }

  async #fetch(before: number, limit: number): Promise<{ rows: Row[]; oldest: number }> {
    const answer: unknown = await this.#socket.timeout(ANSWER_TIMEOUT).emitWithAck("history", before, limit);
    const { messages, first } = (answer ?? {}) as Record<string, unknown>;
    if (!Array.isArray(messages) || !Number.isSafeInteger(first)) throw new Error("not a page of history");
    const rows = messages.map((message: unknown) => {
      const row = Array.isArray(message) ? parseRow(message[0], message[1], message[2]) : undefined;
      if (!row) throw new Error("not a message");
      return row;
    });
    return { rows, oldest: first as number };
  }

  #breakOff(): void {
    this.#socket.disconnect();
    this.#happen({ kind: "lost" });
    this.#again();
  }

  /** Connects again where the client would not by itself: sooner at first, every half minute at last. */
  #again(): void {
    clearTimeout(this.#retry);
    const pause = Math.min(AGAIN_MAX, AGAIN_MIN * 2 ** this.#retries) * (0.5 + Math.random() / 2);
    this.#retries = Math.min(this.#retries + 1, RETRIES_MAX);
    this.#retry = setTimeout(() => this.connect(), pause);
  }

  #happen(happening: Happening): void {
    this.#status = next(this.#status, happening, navigator.onLine);
    this.#options.onChange();
  }

  #changed(): void {
    this.#options.onChange();
    this.#save();
  }

  /** Writes what is new, one transaction at a time, so that a burst of messages makes few of them. */
  #save(): void {
    if (!this.#archive || this.#saving) return;
    this.#saving = Promise.resolve()
      .then(async () => {
        const { epoch, cursor, rows, version } = this.timeline;
        if (epoch !== undefined && cursor !== undefined) await this.#archive?.save(epoch, cursor, rows);
        return version;
      })
      .catch((error: unknown) => {
        this.#options.onTrouble(error);
        return this.timeline.version;
      })
      .then((version) => {
        this.#saving = undefined;
        if (version !== this.timeline.version) this.#save();
      });
  }
}

/** What each attempt to connect sends: always the cursor of that moment, and what the last message is that it stands for. */
export function credentials(clientId: string, timeline: Timeline): Record<string, unknown> {
  const { epoch, cursor } = timeline;
  const { key, at } = (cursor === undefined ? undefined : timeline.at(cursor)) ?? { key: "" };
  return {
    clientId,
    ...(epoch === undefined ? {} : { epoch }),
    ...(cursor === undefined ? {} : { serverOffset: cursor }),
    ...(key === "" || !Number.isSafeInteger(at) ? {} : { last: { clientOffset: key, at } }),
  };
}

const PAGE = 50;
const ANSWER_TIMEOUT = 10_000;
const ASK_EVERY = 60_000;
const AGAIN_MIN = 1_000;
const AGAIN_MAX = 30_000;
const RETRIES_MAX = 10;
