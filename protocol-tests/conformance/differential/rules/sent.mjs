// What a case has sent so far, as the rules look at it.

/** The text bodies that were posted up to a step. */
export function bodies(testCase, step) {
  if (testCase.steps !== undefined) return testCase.steps.slice(0, step).map((messages) => messages.filter((one) => typeof one === "string").join("\x1e"));
  return (testCase.posts ?? []).slice(0, step).flatMap(({ body }) => body ?? []);
}

/** The packets in those bodies, and those that were frames. */
export function packets(testCase, step) {
  const split = (body) => (testCase.server === "eio3" ? [...byLength(body)].map(([, packet]) => packet) : body.split("\x1e"));
  return [...bodies(testCase, step).flatMap(split), ...frames(testCase, step)];
}

/** The text frames that were sent up to a step. In protocol 3 one of bytes begins with the type, too. */
export function frames(testCase, step) {
  const typeOf = (hex = "") => (testCase.server === "eio3" && hex !== "" ? String(parseInt(hex.slice(0, 2), 16)) : "");
  return (testCase.frames ?? []).slice(0, step).map(({ text, pieces, hex }) => text ?? pieces?.join("") ?? typeOf(hex));
}

/** The lengths and packets of a body of protocol 3, as JavaScript counts them. */
export function* byLength(body) {
  for (let rest = body; rest.includes(":"); ) {
    const [length] = rest.split(":", 1);
    const start = length.length + 1;
    const end = start + (Number(length) || 0);
    yield [length, rest.slice(start, end)];
    rest = rest.slice(end);
  }
}

/** Whether a line says that ours has ended the session. */
export function isEnd(line) {
  return /^("1"|close frame|connection ended|messages received|ended by)/.test(line);
}
