// One test: a server, people with tabs, and what must hold in every test.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, LOOK, Person } from "./people.js";
import { startServer } from "./server.js";

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/**
 * A test with a server and people. After the body, whatever it did: no tab has asked another host for
 * anything, and no console has an error beyond what a server that is away causes.
 */
export function chatTest(name, body) {
  test(name, { timeout: 120_000 }, async () => {
    const server = await startServer();
    const people = [];
    const newPerson = async (options) => {
      const person = new Person(await browser.newContext({ ...LOOK, ...options }), server);
      people.push(person);
      return person;
    };
    try {
      await body({ server, newPerson });
      for (const person of people) person.assertQuiet();
    } finally {
      for (const person of people) await person.context.close();
      await server.remove();
    }
  });
}

/** The same messages in all tabs: once each, in one order, without a hole. Answers them. */
export async function assertSame(...tabs) {
  const [first, ...others] = await Promise.all(tabs.map((tab) => tab.rows()));
  const facts = (rows) => rows.map(({ offset, key, author, text }) => ({ offset, key, author, text }));
  for (const rows of others) assert.deepEqual(facts(rows), facts(first));
  first.forEach((row, i) => assert.equal(row.offset, first[0].offset + i, "offsets are dense"));
  assert.equal(new Set(first.map((row) => `${row.author} ${row.key}`)).size, first.length, "every key once");
  return first;
}

/** The numbers from `first` to `last`, each as a message. */
export function numbered(prefix, first, last) {
  return Array.from({ length: last - first + 1 }, (_, i) => `${prefix} ${first + i}`);
}
