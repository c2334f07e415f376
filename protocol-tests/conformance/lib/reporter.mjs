// A reporter for node:test that writes one JSON line per test: what report.mjs makes its table of.

export default async function* reporter(source) {
  const names = [];
  for await (const { type, data } of source) {
    if (type === "test:start") {
      names.length = data.nesting;
      names[data.nesting] = data.name;
    } else if ((type === "test:pass" || type === "test:fail") && data.details.type !== "suite") {
      const error = data.details.error;
      yield `${JSON.stringify({
        group: data.nesting > 0 ? names[0] : null,
        name: data.name,
        file: data.file,
        ok: type === "test:pass",
        skipped: data.skip !== undefined,
        ms: data.details.duration_ms,
        error: error && String(error.cause?.stack ?? error.cause ?? error),
      })}\n`;
    }
  }
}
