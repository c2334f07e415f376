// The page itself: what it loads, who can use it, how it looks.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { chatTest } from "../lib/chat.js";
import { playScene } from "../lib/scene.js";

const artefacts = path.resolve(import.meta.dirname, "../../artefacts");

chatTest("the_page_works_under_a_strict_policy_and_loads_nothing_from_elsewhere", async ({ server, newPerson }) => {
  const answer = await fetch(server.url);
  const policy = answer.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|data:|https?:|\*/);

  const person = await newPerson();
  const tab = await person.open();
  await tab.write("hello");
  await tab.shows(["hello"]);
  person.assertQuiet();
  // Nothing on the page asked for more than the policy allows; and it is in force, as this shows.
  const refused = await tab.page.evaluate(() => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true });
    document.body.setAttribute("onclick", "1");
    document.body.click();
  }));
  assert.match(refused, /^script-src/);
  await person.forgive(/inline event handler/);
});

chatTest("everything_has_a_role_and_a_name", async ({ newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  await there.write("hello");
  await here.shows(["hello"]);
  await here.write("good day");
  await here.shows(["hello", "good day"]);
  const { page } = here;

  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Chat");
  assert.equal(await page.getByRole("main").count(), 1);
  assert.equal(await here.log.getAttribute("aria-live"), "polite");
  assert.equal(await here.log.getAttribute("aria-busy"), "false");
  assert.equal(await here.input.getAttribute("placeholder"), "Write a message");
  assert.equal(await page.getByRole("button", { name: "Send", exact: true }).count(), 1);
  assert.equal(await page.locator("#status").innerText(), "Online");
  for (const live of ["#banner", "#feedback"]) assert.equal(await page.locator(live).getAttribute("role"), "status");
  assert.equal(await page.locator("#notice").getAttribute("role"), "alert");

  // Who spoke is said for every message, seen or not, and whether ours is stored.
  const spoken = await page.$$eval("#rows > li", (items) => items.map((item) => item.textContent));
  assert.match(spoken[0], /[A-Z][a-z]+ [A-Z][a-z]+ [0-9a-f]{4}hello/);
  assert.match(spoken[1], /Yougood day.*Stored$/);
  assert.equal(await page.locator("#rows time[datetime]").count(), 2);

  const nameless = await page.$$eval("button, input, textarea, select, a, img", (controls) =>
    controls
      .filter((control) => !(control.getAttribute("aria-label") || control.textContent.trim() || control.labels?.length || control.getAttribute("alt") === ""))
      .map((control) => control.outerHTML),
  );
  assert.deepEqual(nameless, []);
  const exposed = await page.$$eval("svg", (drawings) => drawings.filter((drawing) => drawing.getAttribute("aria-hidden") !== "true").length);
  assert.equal(exposed, 0, "drawings are decoration");
});

chatTest("the_keyboard_reaches_everything_and_the_focus_is_seen", async ({ server, newPerson }) => {
  const tab = await (await newPerson({ viewport: { width: 800, height: 420 } })).open();
  for (let i = 1; i <= 15; i += 1) await tab.write(`line ${i}`);
  await tab.page.waitForFunction(() => document.querySelectorAll("#rows > li").length === 15);
  const focused = () => tab.page.evaluate(() => {
    const { id, textContent } = document.activeElement;
    const shown = document.activeElement.closest(".field") ?? document.activeElement;
    const { outlineStyle, boxShadow } = getComputedStyle(shown);
    return { name: id || textContent, seen: outlineStyle !== "none" || boxShadow !== "none" };
  });
  const walk = async (key) => {
    await tab.page.keyboard.press(key);
    return focused();
  };

  assert.deepEqual(await focused(), { name: "input", seen: true });
  assert.deepEqual(await walk("Tab"), { name: "send", seen: true });
  await tab.input.focus();
  assert.deepEqual(await walk("Shift+Tab"), { name: "log", seen: true });
  await tab.page.keyboard.press("Home");
  await tab.page.locator("#jump").waitFor({ state: "visible" });
  assert.deepEqual(await walk("Tab"), { name: "jump", seen: true });
  await tab.page.keyboard.press("Enter");
  await tab.page.locator("#jump").waitFor({ state: "hidden" });
  assert.equal((await focused()).name, "log");

  // The choices of a refused message come in order, too.
  await server.kill();
  await tab.write("unwanted");
  await tab.waits(1);
  await tab.page.evaluate(() => new Promise((resolve) => {
    const opening = indexedDB.open("chat-outbox");
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("entries", "readwrite");
      transaction.objectStore("entries").openCursor().onsuccess = ({ target: { result: cursor } }) => cursor.update({ ...cursor.value, failure: { error: "invalid", message: "because" } });
      transaction.oncomplete = () => (opening.result.close(), resolve());
    };
  }));
  await tab.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await tab.page.reload();
  await tab.page.getByRole("button", { name: "Send again" }).waitFor();
  await tab.log.focus();
  assert.deepEqual(await walk("Tab"), { name: "Send again", seen: true });
  assert.deepEqual(await walk("Tab"), { name: "Discard", seen: true });
  await tab.page.keyboard.press("Enter");
  await tab.waits(0);
});

chatTest("who_asks_for_less_motion_gets_none", async ({ server, newPerson }) => {
  const tab = await (await newPerson({ reducedMotion: "reduce" })).open();
  await tab.status("online");
  const moving = () => tab.page.evaluate(() => document.getAnimations().length);
  await server.kill();
  await tab.status("reconnecting", "unavailable");
  assert.equal(await moving(), 0);
});

for (const [size, viewport] of [["narrow", { width: 360, height: 740 }], ["wide", { width: 1280, height: 800 }]]) {
  for (const colorScheme of ["light", "dark"]) {
    chatTest(`it_can_be_read_${size}_and_${colorScheme}`, async ({ server, newPerson }) => {
      await mkdir(artefacts, { recursive: true });
      const { me } = await playScene(newPerson, { viewport, colorScheme });
      const keep = (name) => me.page.screenshot({ path: path.join(artefacts, `${name}-${size}-${colorScheme}.png`) });
      await keep("conversation");
      for (let hue = 0; hue < 12; hue += 1) {
        await me.page.$$eval("#rows > li", (items, hue) => items.forEach((item) => (item.dataset.hue = hue)), String(hue));
        await assertReadable(me.page);
      }

      // Everything that only shows in trouble, at once.
      await server.kill();
      await me.write("I am in the fourth tunnel now.");
      await me.write("Still there.");
      await me.waits(2);
      await me.status("unavailable");
      await me.page.evaluate(() => new Promise((resolve) => {
        const opening = indexedDB.open("chat-outbox");
        opening.onsuccess = () => {
          const transaction = opening.result.transaction("entries", "readwrite");
          transaction.objectStore("entries").openCursor().onsuccess = ({ target: { result: cursor } }) => cursor.update({ ...cursor.value, failure: { error: "invalid", message: "nobody knows why" } });
          transaction.oncomplete = () => (opening.result.close(), resolve());
        };
        document.querySelector("#notice").textContent = "The browser's storage is full. Messages that are not sent yet are lost when you close or reload this page.";
      }));
      await me.write("What is written next brings the change to the page.");
      await me.waits(3);
      await me.input.fill("x".repeat(8_200));
      await me.input.press("Enter");
      await assertReadable(me.page);
      await keep("trouble");

      await me.input.fill("");
      await me.log.evaluate((log) => log.scrollTo(0, 0));
      await me.page.locator("#jump").waitFor({ state: "visible" });
      await assertReadable(me.page);
      await keep("scrolled");
    });
  }
}

chatTest("nothing_is_wider_than_the_narrowest_screen", async ({ newPerson }) => {
  const tab = await (await newPerson({ viewport: { width: 320, height: 480 } })).open();
  await tab.write("Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen".repeat(3));
  await tab.page.waitForFunction(() => document.querySelectorAll("#rows > li").length === 1);
  const sideways = await tab.page.evaluate(() => [document.documentElement, document.querySelector("#log")].map((box) => box.scrollWidth - box.clientWidth));
  assert.deepEqual(sideways, [0, 0]);
});

/** Every text on the page stands out from what is behind it as WCAG 2 AA asks, and buttons can be hit. */
async function assertReadable(page) {
  const faults = await page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const parse = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return { r, g, b, a: a / 255 };
    };
    const over = (top, below) => {
      const mix = (channel) => top[channel] * top.a + below[channel] * (1 - top.a);
      return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
    };
    const behind = (element) => {
      if (!element) return { r: 255, g: 255, b: 255, a: 1 };
      const own = parse(getComputedStyle(element).backgroundColor);
      return own.a === 1 ? own : over(own, behind(element.parentElement));
    };
    const light = ({ r, g, b }) => {
      const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const contrast = (a, b) => {
      const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };

    const faults = [];
    let checked = 0;
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!hasText || element.closest(".unseen") || !element.checkVisibility()) continue;
      const ground = behind(element);
      const ratio = contrast(over(parse(getComputedStyle(element).color), ground), ground);
      checked += 1;
      if (ratio < 4.5) faults.push(`${element.className || element.id || element.tagName}: ${ratio.toFixed(2)} "${element.textContent.slice(0, 30)}"`);
    }
    if (checked < 10) faults.push(`only ${checked} texts were found`);
    for (const button of document.querySelectorAll("button")) {
      const { width, height } = button.getBoundingClientRect();
      if (button.checkVisibility() && Math.min(width, height) < 24) faults.push(`${button.id || button.textContent} is ${width} by ${height}`);
    }
    const sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (sideways > 0) faults.push(`${sideways} pixels too wide`);
    return [...new Set(faults)];
  });
  assert.deepEqual(faults, []);
}
