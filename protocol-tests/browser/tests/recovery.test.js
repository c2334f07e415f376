// Servers that die, pages that reload, storage that is shared, lost or refused.
import assert from "node:assert/strict";
import { assertSame, chatTest, numbered } from "../lib/chat.js";

chatTest("the_server_is_killed_while_one_types_and_every_message_is_there_once", async ({ server, newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  const said = [];
  for (let round = 0; round < 4; round += 1) {
    // Killed right behind a message, with whatever is in flight at that moment.
    for (const text of numbered(`round ${round}`, 1, 5)) said.push(text), await here.write(text);
    await server.kill();
    for (const text of numbered(`away ${round}`, 1, 3)) said.push(text), await here.write(text);
    await here.status("reconnecting", "unavailable");
    await server.start();
    await here.status("online");
  }
  await here.shows(said);
  await there.shows(said);
  const rows = await assertSame(here, there);
  assert.equal(rows[0].offset, 1);
  assert.deepEqual(rows.map((row) => row.text), said);
});

chatTest("unsent_messages_survive_a_reload_while_the_server_is_away", async ({ server, newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  await here.write("before");
  await here.shows(["before"]);
  await kept(here);

  await server.kill();
  const unsent = numbered("unsent", 1, 3);
  for (const text of unsent) await here.write(text);
  await here.waits(3);
  await here.page.reload();

  // The page opens without the server: with what was stored, and with what waits.
  await here.waits(3);
  assert.deepEqual((await here.rows()).map((row) => row.text), ["before"]);
  assert.ok((await here.rows())[0].own, "our own message is known as ours after a reload");
  assert.deepEqual(await here.waiting(), unsent.map((text) => ({ state: "waiting", text, note: "Waiting for the connection" })));
  await here.status("unavailable");
  await here.write("typed after the reload");
  await here.waits(4);

  await server.start();
  const all = ["before", ...unsent, "typed after the reload"];
  await here.shows(all);
  await there.shows(all);
  await assertSame(here, there);
});

chatTest("a_tab_that_dies_leaves_its_messages_to_the_next", async ({ server, newPerson }) => {
  const person = await newPerson();
  const first = await person.open();
  const second = await person.open();
  await first.write("one");
  await second.shows(["one"]);
  await server.kill();
  await first.write("two");
  await second.waits(1);
  await first.page.close();
  await second.write("three");
  await second.waits(2);
  await server.start();
  await second.shows(["one", "two", "three"]);
  const third = await (await newPerson()).open();
  await third.shows(["one", "two", "three"]);
  await assertSame(second, third);
});

chatTest("a_page_without_a_network_starts_from_what_it_kept_and_catches_up", async ({ newPerson }) => {
  const person = await newPerson();
  const here = await person.open();
  const there = await (await newPerson()).open();
  const said = numbered("before", 1, 20);
  for (const text of said) await there.write(text);
  await here.shows(said);
  await kept(here);

  await person.context.setOffline(true);
  await here.status("offline");
  await here.page.reload();
  await here.shows(said);
  await here.status("offline");
  await there.write("missed");
  await there.shows([...said, "missed"]);

  await person.context.setOffline(false);
  await here.shows([...said, "missed"]);
  await assertSame(here, there);
});

chatTest("a_tab_that_slept_does_not_hold_back_what_another_tab_keeps", async ({ newPerson }) => {
  const person = await newPerson();
  const asleep = await person.open();
  const awake = await person.open();
  await awake.write("first");
  await asleep.shows(["first"]);
  // One tab alone loses its connection; the shared archive grows without it.
  const session = await person.context.newCDPSession(asleep.page);
  await session.send("Network.emulateNetworkConditions", { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await asleep.status("offline", "unavailable", "reconnecting");
  const said = ["first", ...numbered("meanwhile", 1, 5)];
  for (const text of said.slice(1)) await awake.write(text);
  await awake.shows(said);
  assert.deepEqual((await asleep.rows()).map((row) => row.text), ["first"]);
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await asleep.shows(said);
  await kept(awake);
  await awake.page.reload();
  await awake.shows(said);
  await assertSame(asleep, awake);
});

chatTest("a_new_database_is_noticed_and_the_page_starts_over", async ({ server, newPerson }) => {
  const here = await (await newPerson()).open();
  const there = await (await newPerson()).open();
  for (const text of numbered("old", 1, 5)) await here.write(text);
  await there.shows(numbered("old", 1, 5));
  await server.kill();
  await here.write("typed in between");
  await here.waits(1);
  await server.loseDatabase();
  await server.start();

  for (const tab of [here, there]) await tab.page.waitForFunction(() => document.querySelectorAll("#rows > li").length === 1);
  await here.shows(["typed in between"]);
  await there.write("new");
  await here.shows(["typed in between", "new"]);
  const rows = await assertSame(here, there);
  assert.equal(rows[0].offset, 1);
  assert.deepEqual((await here.rows()).map((row) => row.own), [true, false]);

  // The old conversation does not come back from the archive.
  await kept(here);
  await server.kill();
  await here.page.reload();
  await here.page.waitForFunction(() => document.querySelectorAll("#rows > li").length === 2);
});

chatTest("a_refused_message_says_why_and_can_be_sent_again_or_discarded", async ({ server, newPerson }) => {
  const tab = await (await newPerson()).open();
  await tab.write("the original");
  await tab.shows(["the original"]);
  const [{ key }] = await tab.rows();

  // A message under the key of one that is stored: a thing our page never does by itself.
  await kept(tab);
  await server.kill();
  for (const text of ["first", "second"]) await tab.write(text);
  await tab.waits(2);
  await tab.page.goto("about:blank");
  const editor = await tab.page.context().newPage();
  await editor.route("**/*", (route) => route.fulfill({ contentType: "text/html", body: "<title>editor</title>" }));
  await editor.goto(server.url);
  await editOutbox(editor, { key });
  await editor.close();
  await server.start();
  await tab.page.goto(server.url);

  await tab.page.waitForFunction(() => document.querySelector("#pending > li")?.dataset.state === "failed");
  await tab.waits(1); // the second has passed it
  const [failed] = await tab.waiting();
  assert.equal(failed.text, "first");
  assert.match(failed.note, /^Not sent\. .*key/);

  // The choice survives a reload too.
  await tab.page.reload();
  await tab.page.getByRole("button", { name: "Send again" }).click();
  await tab.shows(["the original", "second", "first"]);

  await editOutbox(tab.page, { entry: { key: "x-1", content: "unwanted", at: 0, failure: { error: "invalid", message: "because" } } });
  await tab.page.reload();
  await tab.waits(1);
  assert.match((await tab.waiting())[0].note, /: because$/);
  await tab.page.getByRole("button", { name: "Discard" }).click();
  await tab.waits(0);
  await tab.page.reload();
  await tab.shows(["the original", "second", "first"]);
});

chatTest("without_storage_the_page_works_from_memory_and_says_so", async ({ server, newPerson }) => {
  const person = await newPerson();
  await person.context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("not here", "SecurityError");
    };
  });
  const here = await person.open();
  const there = await (await newPerson()).open();
  assert.match(await here.page.getByRole("alert").filter({ hasText: "store" }).textContent(), /does not let the page store anything/);
  await here.write("from memory");
  await there.shows(["from memory"]);
  await server.kill();
  for (const text of ["and", "in order"]) await here.write(text);
  await here.waits(2);

  // Closing now would lose them, so the browser asks first.
  const asked = here.page.waitForEvent("dialog");
  await here.page.close({ runBeforeUnload: true });
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();

  await server.start();
  for (const tab of [here, there]) await tab.shows(["from memory", "and", "in order"]);
  assert.ok((await here.rows()).every((row) => row.own));
});

chatTest("full_storage_turns_to_memory_says_so_and_keeps_the_order", async ({ server, newPerson }) => {
  const person = await newPerson();
  const here = await person.open();
  const there = await (await newPerson()).open();
  await here.write("one");
  await here.shows(["one"]);
  await server.kill();
  await here.write("two");
  await here.waits(1);
  await here.page.evaluate(() => {
    for (const method of ["add", "put"]) {
      IDBObjectStore.prototype[method] = () => {
        throw new DOMException("no room", "QuotaExceededError");
      };
    }
  });
  await here.write("three");
  await here.write("four");
  await here.waits(3);
  assert.match(await here.page.getByRole("alert").filter({ hasText: "storage" }).textContent(), /storage is full/);
  await server.start();
  for (const tab of [here, there]) await tab.shows(["one", "two", "three", "four"]);
  await assertSame(here, there);
});

chatTest("what_is_typed_while_the_storage_hangs_is_sent_without_it", async ({ newPerson }) => {
  const person = await newPerson();
  await person.context.addInitScript(() => {
    // A request that neither succeeds nor fails, as a damaged profile gives it.
    IDBFactory.prototype.open = () => Object.setPrototypeOf(new EventTarget(), IDBOpenDBRequest.prototype);
  });
  const tab = await person.open();
  await tab.write("early");
  await tab.write("and early again");
  await tab.shows(["early", "and early again"]);
  assert.match(await tab.page.locator("#notice").textContent(), /does not let the page store anything/);
});

chatTest("a_websocket_that_dies_in_the_middle_of_the_upgrade_costs_a_moment_only", async ({ newPerson }) => {
  const person = await newPerson();
  let upgrades = 0;
  await person.context.routeWebSocket(/socket\.io/, (page) => {
    upgrades += 1;
    const dies = upgrades === 1;
    const server = page.connectToServer();
    server.onMessage((message) => {
      page.send(message);
      if (dies && message === "3probe") page.close();
    });
  });
  const here = await person.open();
  const there = await (await newPerson()).open();
  // Less than the heartbeat, which would end the stall by itself.
  await here.write("hello");
  for (const tab of [here, there]) await tab.shows(["hello"]);
  await there.write("hello back");
  await here.shows(["hello", "hello back"]);
  assert.equal(upgrades, 2);
});

/** Waits until the page, its files and what it shows are kept in the browser. */
async function kept(tab) {
  const last = (await tab.rows()).at(-1).offset;
  await tab.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await tab.page.waitForFunction((last) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("chat-archive");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asking = opening.result.transaction("facts").objectStore("facts").get("label");
      asking.onsuccess = () => {
        opening.result.close();
        resolve(asking.result?.range?.last === last);
      };
    };
  }), last);
}

/** Gives the first entry of the outbox another key, or adds `entry` to it. */
async function editOutbox(page, { key, entry }) {
  await page.evaluate(({ key, entry }) => new Promise((resolve, reject) => {
    const opening = indexedDB.open("chat-outbox");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("entries", "readwrite");
      const entries = transaction.objectStore("entries");
      if (entry) entries.add(entry);
      else entries.openCursor().onsuccess = ({ target: { result: cursor } }) => cursor.update({ ...cursor.value, key });
      transaction.oncomplete = () => (opening.result.close(), resolve());
      transaction.onabort = () => reject(transaction.error);
    };
  }), { key, entry });
}
