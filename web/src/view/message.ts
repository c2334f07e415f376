// One message as it is drawn: a stored row, or one that is on its way.
import type { Entry } from "../outbox";
import type { Item } from "../pending";
import { person } from "../people";
import type { Row } from "../timeline";
import { element, icon } from "./dom";

/** How a row stands to the one before it. */
export interface Place {
  readonly newDay: boolean;
  /** The first of a run of messages by one author. */
  readonly newGroup: boolean;
}

/** Where `row` stands after `previous`. */
export function place(previous: Row | undefined, row: Row): Place {
  const newDay = row.at !== undefined && (previous?.at === undefined || day.format(previous.at) !== day.format(row.at));
  const pause = (row.at ?? 0) - (previous?.at ?? 0);
  return { newDay, newGroup: newDay || previous?.author !== row.author || pause > GROUP_PAUSE };
}

/** The list item of a stored message. */
export function drawRow(row: Row, { newDay, newGroup }: Place, own: boolean): HTMLLIElement {
  const { hue, name, tag, initials } = person(row.author);
  const line = element("li", "row");
  line.dataset["offset"] = String(row.offset);
  line.dataset["key"] = row.key;
  line.dataset["author"] = row.author;
  line.dataset["hue"] = String(hue);
  line.classList.toggle("own", own);
  line.classList.toggle("leads", newGroup);
  if (newDay && row.at !== undefined) line.append(element("h2", "day", day.format(row.at)));

  if (!own && newGroup) {
    const avatar = element("span", "avatar", initials);
    avatar.setAttribute("aria-hidden", "true");
    line.append(avatar);
  }
  // Inside a group, and for oneself, the name is for those who listen; the others see whose it is.
  const author = element("p", own || !newGroup ? "author unseen" : "author", own ? "You" : name);
  if (!own) author.append(" ", element("span", "tag", tag));
  const foot = element("span", "foot");
  if (row.at !== undefined) foot.append(clock(row.at));
  if (own) foot.append(mark(CHECK, "Stored"));
  line.append(author, element("div", "bubble", text(row.content), foot));
  return line;
}

/** The list item of a message on its way. */
export function drawItem(item: Item, actions: { retry(entry: Entry): void; discard(entry: Entry): void }): HTMLLIElement {
  const { entry, state, note } = item;
  const line = element("li", "row own pending");
  line.dataset["key"] = entry.key;
  line.dataset["state"] = state;
  const foot = element("span", "foot", clock(entry.at));
  // On its way and stored are said to those who listen; the rest is written below for everybody.
  const quiet = state === "sending" || state === "stored";
  foot.append(mark(state === "failed" ? EXCLAMATION : state === "stored" ? CHECK : CLOCK, quiet ? note : ""));
  line.append(element("p", "author unseen", "You"), element("div", "bubble", text(entry.content), foot));
  if (quiet) return line;

  const explanation = element("p", "note", note);
  line.append(explanation);
  if (state === "failed") {
    explanation.setAttribute("role", "alert");
    const retry = element("button", "quiet", "Send again");
    const discard = element("button", "quiet", "Discard");
    retry.type = discard.type = "button";
    retry.addEventListener("click", () => actions.retry(entry));
    discard.addEventListener("click", () => actions.discard(entry));
    line.append(element("div", "choices", retry, discard));
  }
  return line;
}

function text(content: string): HTMLElement {
  const paragraph = element("p", "text", content);
  paragraph.dir = "auto";
  return paragraph;
}

function clock(at: number): HTMLElement {
  const time = element("time", "", hour.format(at));
  const date = new Date(at);
  if (!Number.isNaN(date.getTime())) time.dateTime = date.toISOString();
  time.title = exact.format(at);
  return time;
}

function mark(path: string, words: string): HTMLElement {
  const made = element("span", "mark", icon(path));
  if (words) made.append(element("span", "unseen", words));
  return made;
}

const GROUP_PAUSE = 5 * 60_000;

const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const CHECK = "M3 8.5 6.5 12 13 4.5";
const EXCLAMATION = "M8 3.5v5.5M8 12v.5";
const CLOCK = "M8 4.5V8l2.5 1.5M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z";
