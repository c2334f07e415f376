// The messages a tab holds: one unbroken range of offsets of one epoch, ending at the cursor.
// Pure: no socket, no storage, no page.

/** One stored message. */
export interface Row {
  readonly offset: number;
  readonly content: string;
  /** The public id the server gave its author. */
  readonly author: string;
  /** The key its author gave it. */
  readonly key: string;
  /** When it was stored, in milliseconds since 1970, if the server says so. */
  readonly at?: number;
}

export class Timeline {
  #epoch: string | undefined;
  #cursor: number | undefined;
  #rows: Row[] = [];
  #generation = 0;
  #version = 0;

  /** The epoch of the rows, once known. */
  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** Everything up to this offset has been seen; undefined while nothing has. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** Goes up with each start over: what was asked about an earlier one is void. */
  get generation(): number {
    return this.#generation;
  }

  /** Goes up with each change of any kind. */
  get version(): number {
    return this.#version;
  }

  /** Ascending and without holes; the last one has the offset `cursor`, if there is any. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** The row with this offset, if it is held. */
  at(offset: number): Row | undefined {
    const first = this.#rows[0];
    return first && this.#rows[offset - first.offset];
  }

  /** Starts over in `epoch`, from rows kept earlier if there are any. */
  reset(epoch: string | undefined, cursor?: number, rows: readonly Row[] = []): void {
    this.#version += 1;
    this.#generation += 1;
    this.#epoch = epoch;
    this.#cursor = cursor;
    this.#rows = [...rows];
  }

  /** Learns the epoch of what is held. Answers false, and changes nothing, if it is another one. */
  adopt(epoch: string): boolean {
    if (this.#epoch === undefined) this.#version += 1;
    this.#epoch ??= epoch;
    return this.#epoch === epoch;
  }

  /** Notes that the log is empty up to its end: the next message is number one. */
  startEmpty(): void {
    if (this.#cursor === undefined) this.#version += 1;
    this.#cursor ??= 0;
  }

  /** Takes a message from the stream. Only the one after the cursor is ever added. */
  accept(row: Row): "added" | "seen" | "hole" {
    if (this.#cursor !== undefined && row.offset <= this.#cursor) return "seen";
    if (this.#cursor !== undefined && row.offset > this.#cursor + 1) return "hole";
    this.#version += 1;
    this.#cursor = row.offset;
    this.#rows.push(row);
    return "added";
  }

  /** Takes a page of older messages. Answers false, and changes nothing, if it does not fit on. */
  prepend(page: readonly Row[]): boolean {
    const first = this.#rows[0];
    const fits = page.every((row, i) => row.offset === (page[i + 1] ?? first)!.offset - 1);
    if (!first || !fits) return false;
    this.#version += 1;
    this.#rows = [...page, ...this.#rows];
    return true;
  }

  /** Lets go of the rows before the offset `first`, which are kept nowhere else any more. */
  forget(first: number): void {
    const count = this.#rows.findIndex((row) => row.offset >= first);
    if (count === 0 || this.#rows.length === 0) return;
    this.#version += 1;
    this.#rows.splice(0, count < 0 ? this.#rows.length : count);
  }

  /** Lets go of the oldest rows beyond `limit`. */
  trim(limit: number): void {
    if (this.#rows.length <= limit) return;
    this.#version += 1;
    this.#rows.splice(0, this.#rows.length - limit);
  }
}

/** The row that the event "chat message" or a page of history carries, if it has the right shape. */
export function parseRow(content: unknown, offset: unknown, details: unknown): Row | undefined {
  if (typeof content !== "string" || !Number.isSafeInteger(offset) || (offset as number) < 1) return undefined;
  const { author, clientOffset, at } = (details ?? {}) as Record<string, unknown>;
  return {
    offset: offset as number,
    content,
    author: typeof author === "string" ? author : "",
    key: typeof clientOffset === "string" ? clientOffset : "",
    ...(typeof at === "number" && Number.isFinite(at) ? { at } : {}),
  };
}
