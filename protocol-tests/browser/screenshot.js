// Writes web/screenshot.png, the picture in the README: `npm run screenshot`.
import path from "node:path";
import { launch, LOOK, Person } from "./lib/people.js";
import { playScene } from "./lib/scene.js";
import { startServer } from "./lib/server.js";

const file = path.resolve(import.meta.dirname, "../../web/screenshot.png");
const server = await startServer();
const browser = await launch();
try {
  const look = { ...LOOK, viewport: { width: 1100, height: 800 }, deviceScaleFactor: 1.5 };
  const { me } = await playScene(async () => new Person(await browser.newContext(look), server));
  // As high as the conversation is.
  const more = await me.log.evaluate((log) => log.scrollHeight - log.clientHeight);
  await me.page.setViewportSize({ width: 1100, height: 800 + more });
  await me.page.screenshot({ path: file });
  console.log(file);
} finally {
  await browser.close();
  await server.remove();
}
