// The page: opens what is kept, shows it, connects, and joins the parts.
import { io } from "socket.io-client";
import { Archive, type Kept } from "./archive";
import { Chat, credentials } from "./chat";
import { OutboxFullError, type OutboxStore, randomId, socketLink } from "./outbox";
import { openOutboxStore } from "./outbox-store";
import { Pending } from "./pending";
import { Sender } from "./sender";
import { describe } from "./status";
import { Timeline } from "./timeline";
import { Composer } from "./view/composer";
import { byId, setText } from "./view/dom";
import { Log } from "./view/log";

interface Storage {
  archive?: Archive;
  outbox?: OutboxStore;
  clientId: string;
  kept?: Kept | undefined;
}

/** Opens the browser's storage, each part for itself; what does not open is done without. */
async function openStorage(): Promise<Storage> {
  const [archive, outbox] = await Promise.all([
    inTime(openArchive()).catch(() => undefined),
    inTime(openOutboxStore("chat-outbox", () => warn("lost"))).catch(() => undefined),
  ]);
  if (!archive || !outbox) warn("none");
  return { clientId: randomId(), ...archive, ...(outbox ? { outbox } : {}) };
}

async function openArchive(): Promise<Omit<Storage, "outbox">> {
  const archive = await Archive.open("chat-archive");
  return { archive, clientId: await archive.clientId(), kept: await archive.load() };
}

/** Some browsers neither open a damaged database nor say that they will not. */
function inTime<T>(opening: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    opening.then(resolve, reject);
    setTimeout(() => reject(new Error("storage does not answer")), OPENING_TIMEOUT);
  });
}

/** Shows and connects; answers how a message is sent from now on. */
function start({ archive, outbox, clientId, kept }: Storage): (content: string) => Promise<void> {
  const timeline = new Timeline();
  if (kept) timeline.reset(kept.epoch, kept.cursor, kept.rows);

  const socket = io({
    autoConnect: false,
    auth: (send) => send(credentials(clientId, timeline)),
    reconnectionDelay: 500,
    reconnectionDelayMax: 5_000,
  });
  const pending = new Pending();
  const draw = oncePerFrame(render);
  const chat = new Chat({
    socket,
    timeline,
    archive,
    self: kept?.self,
    onChange: draw,
    onTrouble: (error) => warn(isQuota(error) ? "full" : "lost"),
  });
  const sender = new Sender({
    link: socketLink(socket, "chat message"),
    durable: outbox,
    // Missing where the page is not served over https or from this machine.
    locks: navigator.locks as LockManager | undefined,
    channel: typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("chat-outbox"),
    onEntries(entries) {
      pending.update(entries);
      draw();
    },
    onReport(report) {
      pending.report(report);
      chat.recognise(report);
      draw();
    },
    onTrouble: (error) => warn(isQuota(error) ? "full" : "lost"),
  });
  const log = new Log({
    loadOlder: () => void chat.loadOlder(),
    retry: (entry) => void sender.retry(entry).catch(() => warn("lost")),
    discard: (entry) => void sender.discard(entry).catch(() => warn("lost")),
  });
  let seen = timeline.cursor ?? 0;

  function render(): void {
    const connected = chat.status.kind === "online";
    timeline.trim(log.following ? ROWS_SHOWN : ROWS_SHOWN * 10);
    log.render({
      rows: timeline.rows,
      generation: timeline.generation,
      items: pending.items(timeline, connected),
      past: chat.past,
      connected,
      busy: chat.catchingUp || (timeline.cursor === undefined && !connected),
      empty: timeline.rows.length === 0 && timeline.cursor !== undefined,
      isOwn: (row) => (chat.self === undefined ? pending.has(row.key) : row.author === chat.self),
    });

    const { name, sentence } = describe(chat.status);
    byId("status").dataset["status"] = chat.status.kind;
    setText(byId("status-name"), name);
    const quiet = chat.status.kind === "online" || chat.status.kind === "connecting";
    setText(byId("banner"), quiet ? "" : sentence);

    const cursor = timeline.cursor ?? 0;
    if (!document.hidden || chat.catchingUp || cursor < seen) seen = cursor;
    document.title = cursor > seen ? `(${cursor - seen}) Chat` : "Chat";
  }

  addEventListener("online", () => chat.hurry());
  addEventListener("offline", draw);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) chat.hurry();
    draw();
  });
  addEventListener("beforeunload", (event) => {
    if (sender.atRisk) event.preventDefault();
  });
  render();
  chat.connect();
  return async (content) => {
    await sender.send(content);
    log.toEnd();
  };
}

/** Draws at most once per frame, and now and then while nobody looks and there are no frames. */
function oncePerFrame(render: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => {
      if (waiting) render();
      waiting = false;
    };
    requestAnimationFrame(run);
    setTimeout(run, HIDDEN_INTERVAL);
  };
}

/** Says what the browser does not keep. */
function warn(what: keyof typeof WARNINGS): void {
  setText(byId("notice"), WARNINGS[what]);
}

function isQuota(error: unknown): boolean {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

const WARNINGS = {
  none: "This browser does not let the page store anything. Messages that are not sent yet are lost when you close or reload it.",
  full: "The browser's storage is full. Messages that are not sent yet are lost when you close or reload this page.",
  lost: "The browser's storage has failed. Messages that are not sent yet are lost when you close or reload this page.",
} as const;

const QUEUE_FULL = "Too many messages are waiting already. Send this one when some of them have left.";
const OPENING_TIMEOUT = 5_000;
const HIDDEN_INTERVAL = 500;
// How many messages the page holds while the reader is at the end, ten times that while not.
const ROWS_SHOWN = 1_000;

const send = openStorage().then(start);
// There from the first moment: what is typed while the storage opens waits for it.
new Composer(async (content) => {
  try {
    await (await send)(content);
  } catch (error) {
    throw error instanceof OutboxFullError ? new Error(QUEUE_FULL) : error;
  }
});
// Lets the page open while the server is away. Where that is not possible, it does not.
navigator.serviceWorker?.register(new URL("./sw.js", document.baseURI)).catch(() => undefined);
