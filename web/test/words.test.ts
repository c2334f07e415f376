// The small pure parts: text, people, the state of the connection.
import { expect, test } from "vitest";
import { person } from "../src/people";
import { type Status, describe, next } from "../src/status";
import { allowance, byteLength, CONTENT_BYTES_MAX, problem, tidy } from "../src/text";

test.each(["", "a", "é", "€", "\x7f\x80", "\u07ff\u0800", "\uffff𝄞", "👩‍👩‍👧", "mixed é€𝄞 text\n"])("%j_is_measured_as_utf8", (text) => {
  expect(byteLength(text)).toBe(new TextEncoder().encode(text).length);
});

test("a_lone_half_of_a_character_is_measured_as_what_it_becomes", () => {
  expect(byteLength("\uD800")).toBe(new TextEncoder().encode("\uD800").length);
});

test.each([
  ["  hello  ", "  hello"],
  ["\n\n  \n  indented\nsecond\n\n", "  indented\nsecond"],
  ["a\r\nb", "a\nb"],
  ["a\uD800b\uDC00", "a\uFFFDb\uFFFD"],
  ["𝄞", "𝄞"],
  [" \n\t ", ""],
])("%j_is_sent_as_%j", (typed, sent) => {
  expect(tidy(typed)).toBe(sent);
});

test.each(["", " ", "\u200B\u200B", "\u2800", "\uFEFF \u3164"])("%j_is_nothing_to_send", (text) => {
  expect(problem(tidy(text))).toContain("Write something");
});

test("the_limit_is_inclusive_and_counts_bytes", () => {
  expect(problem("a".repeat(CONTENT_BYTES_MAX))).toBeUndefined();
  expect(problem("a".repeat(CONTENT_BYTES_MAX + 1))).toContain("1 byte too long");
  expect(problem("é".repeat(CONTENT_BYTES_MAX / 2))).toBeUndefined();
  expect(problem("é".repeat(CONTENT_BYTES_MAX / 2 + 1))).toContain("2 bytes too long");
});

test("the_allowance_speaks_up_only_near_the_limit", () => {
  expect(allowance("hello")).toBe("");
  expect(allowance("a".repeat(CONTENT_BYTES_MAX - 100))).toBe("100 bytes left");
  expect(allowance("a".repeat(CONTENT_BYTES_MAX))).toBe("0 bytes left");
  expect(allowance("a".repeat(CONTENT_BYTES_MAX + 2))).toBe("2 bytes too long");
});

test("a_person_looks_the_same_everywhere_and_people_differ", () => {
  expect(person("someone")).toEqual(person("someone"));
  const people = Array.from({ length: 2_000 }, (_, i) => person(`author-${i}`));
  for (const { hue, tag, initials } of people) {
    expect(hue).toBeGreaterThanOrEqual(0);
    expect(hue).toBeLessThan(12);
    expect(tag).toMatch(/^[0-9a-f]{4}$/);
    expect(initials).toMatch(/^[A-Z]{2}$/);
  }
  expect(new Set(people.map((p) => p.hue)).size).toBe(12);
  expect(new Set(people.map((p) => `${p.name} ${p.tag}`)).size).toBeGreaterThan(1_990);
});

test("the_state_of_the_connection_follows_what_happens", () => {
  let status: Status = { kind: "connecting" };
  const steps = [
    [{ kind: "failed" }, true, { kind: "unavailable" }],
    [{ kind: "connected" }, true, { kind: "online" }],
    [{ kind: "lost" }, true, { kind: "reconnecting" }],
    [{ kind: "failed" }, true, { kind: "unavailable" }],
    [{ kind: "failed", reason: "full" }, true, { kind: "unavailable", reason: "full" }],
    [{ kind: "failed" }, false, { kind: "offline" }],
    [{ kind: "network" }, true, { kind: "reconnecting" }],
    [{ kind: "connected" }, true, { kind: "online" }],
    [{ kind: "network" }, true, { kind: "online" }],
    [{ kind: "lost" }, false, { kind: "offline" }],
  ] as const;
  for (const [happening, network, after] of steps) {
    status = next(status, happening, network);
    expect(status).toEqual(after);
    expect(describe(status).sentence).toMatch(/\.$/);
  }
});
