// People in front of the page: browsers with storage of their own, and the tabs in them.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** Starts Debian's Chromium, or the one that CHROMIUM names. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A browser of its own: storage, tabs. */
export class Person {
  #complaints = [];

  constructor(context, server) {
    this.context = context;
    this.server = server;
    context.setDefaultTimeout(WAIT);
    context.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (host !== `127.0.0.1:${server.port}` || !/^(http|ws):$/.test(protocol)) this.#complaints.push(`request to ${request.url()}`);
    });
    context.on("weberror", (error) => this.#complaints.push(`uncaught ${error.error()}`));
    context.on("console", (message) => {
      const serverAway = /net::ERR_|WebSocket connection to 'ws:\/\/127\.0\.0\.1/.test(message.text());
      if (message.type() === "error" && !serverAway) this.#complaints.push(`console: ${message.text()}`);
      if (/Content Security Policy/i.test(message.text())) this.#complaints.push(`csp: ${message.text()}`);
    });
  }

  /** A new tab with the page in it. */
  async open() {
    const tab = new Tab(await this.context.newPage());
    await tab.page.goto(this.server.url);
    return tab;
  }

  /** Expects a complaint, and takes it off the list. */
  async forgive(pattern) {
    if (!this.#complaints.some((complaint) => pattern.test(complaint))) await this.context.waitForEvent("console", (message) => pattern.test(message.text()));
    this.#complaints = this.#complaints.filter((complaint) => !pattern.test(complaint));
  }

  assertQuiet() {
    assert.deepEqual(this.#complaints, []);
  }
}

/** The page as a person sees and uses it. */
export class Tab {
  constructor(page) {
    this.page = page;
    this.input = page.getByRole("textbox", { name: "Message" });
    this.log = page.getByRole("log", { name: "Messages" });
    this.pending = page.locator("#pending > li");
  }

  /** Writes a message and presses Enter. The page has it when the input is empty. */
  async write(text) {
    await this.input.fill(text);
    await this.input.press("Enter");
  }

  /** Waits for a status: connecting, online, reconnecting, offline or unavailable. */
  async status(...kinds) {
    await this.page
      .waitForFunction((kinds) => kinds.includes(document.querySelector("#status").dataset.status), kinds)
      .catch(async (error) => {
        const { status } = await this.page.locator("#status").evaluate((element) => ({ ...element.dataset }));
        throw new Error(`still ${status}, not ${kinds.join(" or ")}`, { cause: error });
      });
  }

  /** Waits until the last stored messages are exactly these and nothing is on its way. */
  async shows(texts) {
    await this.page
      .waitForFunction((texts) => {
        const shown = [...document.querySelectorAll("#rows .text")].map((text) => text.textContent).slice(-texts.length);
        return JSON.stringify(shown) === JSON.stringify(texts) && !document.querySelector("#pending > li");
      }, texts)
      .catch(async (error) => {
        assert.deepEqual({ rows: (await this.rows()).map((row) => row.text), pending: await this.waiting() }, { rows: texts, pending: [] });
        throw error;
      });
  }

  /** The stored messages, as the page has them from top to bottom. */
  rows() {
    return this.page.$$eval("#rows > li", (items) =>
      items.map((item) => ({
        offset: Number(item.dataset.offset),
        key: item.dataset.key,
        author: item.dataset.author,
        text: item.querySelector(".text").textContent,
        own: item.classList.contains("own"),
      })),
    );
  }

  /** The messages that are on their way or were refused. */
  waiting() {
    return this.page.$$eval("#pending > li", (items) =>
      items.map((item) => ({ state: item.dataset.state, text: item.querySelector(".text").textContent, note: item.querySelector(".note")?.textContent ?? "" })),
    );
  }

  /** Waits until `count` messages wait, all of them written down. */
  async waits(count) {
    await this.page.waitForFunction((count) => document.querySelectorAll("#pending > li").length === count, count);
  }
}

/** How a browser is set up if a test asks for nothing else. */
export const LOOK = { locale: "en-GB", viewport: { width: 1000, height: 700 } };

const WAIT = 30_000;
