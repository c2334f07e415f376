// The service worker: lets the page open while the server is away, with what it kept.
//
// The server is always asked first for the page itself, so a new version is seen at once. The page
// names its files by their content, so a file that is kept is the right one. Nothing else is touched.

declare const self: ServiceWorkerGlobalScope;
export {};

self.addEventListener("install", (event) => {
  event.waitUntil(fetch(PAGE, { cache: "no-cache" }).then(keep).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname === new URL(PAGE, location.href).pathname) event.respondWith(page(event));
  } else if (event.clientId && !url.search) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

/** The page from the server, or the kept one if the server does not give it in time. */
async function page(event: FetchEvent): Promise<Response> {
  const asked = fetch(event.request);
  const answer = await Promise.race([asked.catch(() => undefined), elapsed(PATIENCE)]);
  if (answer?.ok) {
    // If its files cannot be had now, the one before is kept.
    event.waitUntil(keep(answer.clone()).catch(() => undefined));
    return answer;
  }
  return (await caches.match(PAGE)) ?? asked;
}

/** Keeps a page with all its files, and lets go of those of earlier pages. */
async function keep(answer: Response): Promise<void> {
  if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
  const html = await answer.clone().text();
  const named = [...html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, file]) => new URL(file!, location.href).href);
  const files = [...new Set(named)];
  const cache = await caches.open(CACHE);
  const kept = (await cache.keys()).map((request) => request.url);
  await cache.addAll(files.filter((file) => !kept.includes(file)));
  // The page comes last: it is never there without its files.
  const home = new URL(PAGE, location.href).href;
  await cache.put(home, answer);
  for (const url of kept) if (url !== home && !files.includes(url)) await cache.delete(url);
}

function elapsed(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}

const CACHE = "chat-page";
const PAGE = "./";
const PATIENCE = 3_000;
