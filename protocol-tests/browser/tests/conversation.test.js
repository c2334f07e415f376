// Two people and one person with two tabs, while everything works.
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import { assertSame, chatTest, numbered } from "../lib/chat.js";

chatTest("two_people_see_the_same_messages_once_and_in_order", async ({ newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  await here.status("online");
  const said = [];
  for (let i = 1; i <= 10; i += 1) {
    const [tab, text] = i % 3 === 0 ? [there, `there ${i}`] : [here, `here ${i}`];
    await tab.write(text);
    said.push(text);
    await here.shows(said);
    await there.shows(said);
  }
  const rows = await assertSame(here, there);
  assert.equal(rows[0].offset, 1);
  assert.deepEqual((await here.rows()).map((row) => row.own), said.map((text) => text.startsWith("here")));
  assert.deepEqual((await there.rows()).map((row) => row.own), said.map((text) => text.startsWith("there")));
});

chatTest("two_people_who_write_at_the_same_time_agree_on_one_order", async ({ newPerson }) => {
  const tabs = [await (await newPerson()).open(), await (await newPerson()).open()];
  const both = [numbered("left", 1, 25), numbered("right", 1, 25)];
  await Promise.all(tabs.map(async (tab, i) => {
    for (const text of both[i]) await tab.write(text);
  }));
  for (const tab of tabs) await tab.page.waitForFunction(() => document.querySelectorAll("#rows > li").length === 50 && !document.querySelector("#pending > li"));
  const rows = await assertSame(...tabs);
  for (const texts of both) assert.deepEqual(rows.map((row) => row.text).filter((text) => texts.includes(text)), texts);
});

chatTest("two_tabs_of_one_person_share_the_outbox_and_the_owner_passes_it_on", async ({ newPerson }) => {
  const person = await newPerson();
  const first = await person.open();
  const second = await person.open();
  await first.write("from the first");
  await second.write("from the second");
  for (const tab of [first, second]) await tab.shows(["from the first", "from the second"]);
  assert.deepEqual(await holders(second), { held: 1, waiting: 1 });
  await first.page.close();
  await second.page.waitForFunction(async () => (await navigator.locks.query()).pending.length === 0);
  await second.write("from the second alone");
  await second.shows(["from the first", "from the second", "from the second alone"]);
  const rows = await second.rows();
  assert.equal(new Set(rows.map((row) => row.author)).size, 1, "both tabs are the same person");
  assert.ok(rows.every((row) => row.own));
});

chatTest("what_is_typed_wrong_is_refused_politely_and_stays_in_the_input", async ({ newPerson }) => {
  const tab = await (await newPerson()).open();
  const feedback = tab.page.locator("#feedback");
  await tab.status("online");
  for (const nothing of ["", "   ", "\n\n", "\u200b", "\u3164"]) {
    await tab.write(nothing);
    assert.match(await feedback.textContent(), /Write something first/);
  }
  await tab.write("é".repeat(4_097));
  assert.match(await feedback.textContent(), /2 bytes too long/);
  assert.equal(await tab.page.locator("#allowance").textContent(), "2 bytes too long");
  assert.equal((await tab.input.inputValue()).length, 4_097);
  assert.equal(await tab.input.getAttribute("aria-invalid"), "true");

  const longest = "é".repeat(4_096);
  await tab.write(longest);
  await tab.shows([longest]);
  assert.equal(await tab.input.inputValue(), "");
});

chatTest("content_is_text_whatever_it_looks_like", async ({ newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  const contents = [
    "<img src=x onerror=\"document.title='caught'\">",
    "<script>document.title='caught'</script>",
    "&lt;b&gt; & </li></ol>",
    "javascript:alert(1) http://example.invalid/",
    "\u202eright to left override",
    "שלום, مرحبا and hello",
    "a".repeat(500),
    "lone \ud800 half",
    "nul \u0000 and bell \u0007",
    "  two\n  indented lines",
    "__proto__",
    "👩‍👩‍👧 𝄞",
  ];
  for (const content of contents) await here.write(content);
  const stored = contents.map((content) => content.replace("\ud800", "\ufffd"));
  await here.shows(stored);
  await there.shows(stored);
  assert.equal(await there.page.locator("#rows img, #rows script, #rows b, #rows a").count(), 0);
  assert.equal(await there.page.title(), "Chat");
  const overflow = await there.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, "nothing pushes the page sideways");
});

chatTest("shift_enter_starts_a_line_and_a_composition_is_not_sent", async ({ newPerson }) => {
  const tab = await (await newPerson()).open();
  await tab.status("online");
  await tab.input.pressSequentially("one");
  await tab.input.press("Shift+Enter");
  await tab.input.pressSequentially("two");
  // What an input method sends while the person chooses among candidates.
  await tab.input.evaluate((input) => {
    for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
      input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init }));
    }
  });
  assert.equal(await tab.input.inputValue(), "one\ntwo");
  assert.equal(await tab.pending.count(), 0);
  await tab.input.press("Enter");
  await tab.shows(["one\ntwo"]);
});

chatTest("a_reader_who_scrolled_up_stays_there_and_is_told_of_new_messages", async ({ newPerson }) => {
  const writer = await (await newPerson()).open();
  const reader = await (await newPerson()).open();
  const texts = numbered("message", 1, 30);
  for (const text of texts) await writer.write(text);
  await reader.shows(texts);
  const jump = reader.page.locator("#jump");
  assert.equal(await jump.isVisible(), false);

  await reader.log.evaluate((log) => log.scrollTo(0, 0));
  await jump.waitFor({ state: "visible" });
  const before = await reader.log.evaluate((log) => log.scrollTop);
  await writer.write("something new");
  await writer.write("and more");
  await reader.page.waitForFunction(() => document.querySelector("#jump").textContent.includes("2 new messages"));
  assert.equal(await reader.log.evaluate((log) => log.scrollTop), before);

  await reader.page.getByRole("button", { name: "2 new messages" }).click();
  await jump.waitFor({ state: "hidden" });
  assert.ok(await reader.page.getByText("and more").isVisible());
});

chatTest("five_hundred_messages_are_paged_in_from_the_newest_to_the_first", async ({ server, newPerson }) => {
  const texts = numbered("entry", 1, 500);
  await seed(server.url, texts);
  const tab = await (await newPerson()).open();
  await tab.shows(texts.slice(-50));
  const begins = tab.page.getByText("This is where the conversation begins.");
  for (;;) {
    const rows = await tab.rows();
    const offsets = rows.map((row) => row.offset);
    assert.deepEqual(offsets, Array.from(offsets, (_, i) => 500 - offsets.length + 1 + i));
    if (rows.length === 500) break;
    await tab.log.evaluate((log) => log.scrollTo(0, 1));
    await tab.page.waitForFunction((count) => document.querySelectorAll("#rows > li").length > count, rows.length);
  }
  await begins.waitFor();
  assert.deepEqual((await tab.rows()).map((row) => row.text), texts);

  // What was paged in is there after a reload as well.
  await tab.page.reload();
  await tab.shows(texts);
});

chatTest("loading_older_messages_keeps_the_reader_at_the_same_line", async ({ server, newPerson }) => {
  await seed(server.url, numbered("entry", 1, 200));
  const tab = await (await newPerson()).open();
  await tab.shows(numbered("entry", 151, 200));
  assert.equal((await tab.rows()).length, 50, "no page is loaded before its time");
  const line = tab.page.locator('[data-offset="160"]');
  // Seen from here the top is near enough for the page before this one to come in by itself.
  const before = await line.evaluate((item) => {
    item.scrollIntoView({ block: "center" });
    return item.getBoundingClientRect().top;
  });
  await tab.page.waitForFunction(() => document.querySelector('[data-offset="101"]'));
  const after = await line.evaluate((item) => item.getBoundingClientRect().top);
  assert.ok(Math.abs(after - before) < 2, `moved from ${before} to ${after}`);
});

/** Stores messages through the official client, as somebody else. */
async function seed(url, texts) {
  const socket = io(url, { auth: { clientId: "seed-".padEnd(22, "0") } });
  for (const [i, text] of texts.entries()) {
    const answer = await socket.timeout(10_000).emitWithAck("chat message", text, `seed-${i}`);
    assert.equal(answer.offset, i + 1);
  }
  socket.close();
}

async function holders(tab) {
  return tab.page.evaluate(async () => {
    const { held, pending } = await navigator.locks.query();
    return { held: held.length, waiting: pending.length };
  });
}
