// The list of messages: keeps the DOM equal to the timeline, and the reader where the reader is.
import type { Past } from "../chat";
import type { Entry } from "../outbox";
import type { Item } from "../pending";
import type { Row } from "../timeline";
import { count } from "../text";
import { byId, setText } from "./dom";
import { drawItem, drawRow, place } from "./message";

/** What the list shows. */
export interface LogState {
  readonly rows: readonly Row[];
  /** Changes when the rows have nothing to do with the ones before. */
  readonly generation: number;
  readonly items: readonly Item[];
  readonly past: Past;
  /** Whether older messages can be asked for now. */
  readonly connected: boolean;
  /** Whether the rows are only on their way here, and not news to be read out. */
  readonly busy: boolean;
  /** Whether there is nothing, for certain. */
  readonly empty: boolean;
  isOwn(row: Row): boolean;
}

export interface LogActions {
  loadOlder(): void;
  retry(entry: Entry): void;
  discard(entry: Entry): void;
}

export class Log {
  readonly #actions: LogActions;
  readonly #log = byId("log");
  readonly #rows = byId<HTMLOListElement>("rows");
  readonly #pending = byId<HTMLOListElement>("pending");
  readonly #jump = byId<HTMLButtonElement>("jump");
  readonly #older = byId<HTMLButtonElement>("older");
  #lines: Line[] = [];
  #generation = -1;
  #following = true;
  // The newest row that was here when the reader last looked at the end.
  #readTo = 0;

  constructor(actions: LogActions) {
    this.#actions = actions;
    this.#jump.addEventListener("click", () => {
      this.toEnd(matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
      this.#log.focus({ preventScroll: true });
    });
    this.#older.addEventListener("click", () => actions.loadOlder());
    this.#log.addEventListener("scroll", () => this.#look(), { passive: true });
    // A keyboard that opens or a window that turns must not push the end out of sight.
    new ResizeObserver(() => this.#following && this.toEnd()).observe(this.#log);
    const ahead = { root: this.#log, rootMargin: `${LOAD_AHEAD}px 0px 0px 0px` };
    new IntersectionObserver(() => this.#wantOlder(), ahead).observe(byId("past"));
  }

  /** Whether the reader is at the end and wants to stay there. */
  get following(): boolean {
    return this.#following;
  }

  /** Scrolls to the newest message. */
  toEnd(behavior: ScrollBehavior = "auto"): void {
    this.#log.scrollTo({ top: this.#log.scrollHeight, behavior });
  }

  /** Makes the page show `state`. */
  render(state: LogState): void {
    this.#log.setAttribute("aria-busy", String(state.busy));
    const anchor = this.#following ? undefined : this.#anchor();
    this.#renderRows(state);
    this.#renderItems(state.items);
    this.#renderPast(state);
    byId("empty").hidden = !state.empty || state.items.length > 0;
    if (this.#following) this.toEnd();
    else if (anchor) this.#log.scrollTop += anchor.line.getBoundingClientRect().top - anchor.top;
    this.#look();
    // Watching alone is not enough: a page that leaves the top in sight causes no new crossing.
    this.#wantOlder();
  }

  #renderRows({ rows, generation, isOwn }: LogState): void {
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#lines = [];
      this.#rows.replaceChildren();
      this.#readTo = 0;
      this.#following = true;
    }
    // Without rows, none of the lines stays.
    const first = rows[0]?.offset ?? Number.POSITIVE_INFINITY;
    while (this.#lines[0] && this.#lines[0].row.offset < first) this.#lines.shift()?.item.remove();

    const shownFirst = this.#lines[0]?.row.offset ?? Number.POSITIVE_INFINITY;
    const shownLast = this.#lines.at(-1)?.row.offset ?? 0;
    const above: Line[] = [];
    const below: Line[] = [];
    rows.forEach((row, i) => {
      if (row.offset < shownFirst && shownLast > 0) above.push(draw(row, rows[i - 1], isOwn(row)));
      else if (row.offset > shownLast) below.push(draw(row, rows[i - 1], isOwn(row)));
    });
    this.#rows.prepend(...above.map((line) => line.item));
    this.#rows.append(...below.map((line) => line.item));
    this.#lines = [...above, ...this.#lines, ...below];

    // What stands above a row decides how it is drawn, and who we are may only now be known.
    this.#lines.forEach((line, i) => {
      const previous = this.#lines[i - 1]?.row;
      if (line.previous === previous?.offset && line.own === isOwn(line.row)) return;
      const again = draw(line.row, previous, isOwn(line.row));
      line.item.replaceWith(again.item);
      this.#lines[i] = again;
    });
  }

  #renderItems(items: readonly Item[]): void {
    const old = new Map([...this.#pending.children].map((item) => [(item as HTMLElement).dataset["key"], item as HTMLElement]));
    const wanted = items.map((item) => {
      const shown = old.get(item.entry.key);
      const look = `${item.state} ${item.note}`;
      if (shown?.dataset["look"] === look) return shown;
      const drawn = drawItem(item, this.#actions);
      drawn.dataset["look"] = look;
      return drawn;
    });
    if (wanted.length !== old.size || wanted.some((item, i) => item !== this.#pending.children[i])) this.#pending.replaceChildren(...wanted);
  }

  #renderPast({ past, rows, connected, empty }: LogState): void {
    const note = byId("past-note");
    const words = {
      loading: "Loading older messages…",
      failed: "Older messages could not be loaded.",
      more: connected ? "" : "Older messages load when the connection is back.",
      "begins here": "This is where the conversation begins.",
    }[past];
    setText(note, words);
    note.hidden = words === "" || empty || rows.length === 0;
    this.#older.hidden = rows.length === 0 || !connected || (past !== "failed" && past !== "more");
    this.#older.textContent = past === "failed" ? "Try again" : "Load older messages";
    this.#log.dataset["past"] = connected ? past : "none";
  }

  #wantOlder(): void {
    if (this.#log.scrollTop < LOAD_AHEAD && this.#log.dataset["past"] === "more") this.#actions.loadOlder();
  }

  /** Notes where the reader is, and offers the way to the end. */
  #look(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END;
    const last = this.#lines.at(-1)?.row.offset ?? 0;
    if (this.#following || this.#readTo === 0) this.#readTo = last;
    const unread = last - this.#readTo;
    setText(byId("jump-text"), unread > 0 ? count(unread, "new message") : "Latest messages");
    this.#jump.classList.toggle("fresh", unread > 0);
    this.#jump.hidden = this.#following;
  }

  /** The first line in sight and where it is, to put it there again. */
  #anchor(): { line: HTMLElement; top: number } | undefined {
    const edge = this.#log.getBoundingClientRect().top;
    // Lines lie one below the other, so halving finds the first one that ends below the edge.
    let low = 0;
    let high = this.#lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lines[middle]!.item.getBoundingClientRect().bottom > edge) high = middle;
      else low = middle + 1;
    }
    const line = this.#lines[low]?.item;
    return line && { line, top: line.getBoundingClientRect().top };
  }
}

/** A row on the page. */
interface Line {
  readonly row: Row;
  readonly item: HTMLElement;
  readonly own: boolean;
  /** The offset of the row it was drawn after. */
  readonly previous: number | undefined;
}

function draw(row: Row, previous: Row | undefined, own: boolean): Line {
  return { row, own, previous: previous?.offset, item: drawRow(row, place(previous, row), own) };
}

const NEAR_END = 64;
const LOAD_AHEAD = 600;
