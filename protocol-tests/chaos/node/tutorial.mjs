// The negative control: a chat with the loop of the usual tutorial (insert, broadcast when the insert is done, select
// on connect, trust in `recovered`) and all its races. `node tutorial.mjs <port> <file>`.
//
// The table is a file of lines, so that nothing has to be installed. It has what the races need of a database: inserts
// run on threads and end in any order, a select reads what was there when it began, and a key is unique.

import { createServer } from "node:http";
import { appendFile, readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../conformance/package.json", import.meta.url));
const { Server } = require("socket.io");
const [port, file] = process.argv.slice(2);

class Table {
  rows = [];
  keys = new Set();
  last = 0;

  async load() {
    const text = await readFile(file, "utf8").catch(() => "");
    for (const line of text.split("\n").slice(0, -1)) {
      const row = JSON.parse(line);
      this.rows.push(row);
      this.keys.add(row.key);
      this.last = Math.max(this.last, row.id);
    }
  }

  async insert(content, key) {
    if (this.keys.has(key)) throw Object.assign(new Error("the key is not unique"), { errno: 19 });
    this.keys.add(key);
    const row = { id: (this.last += 1), key, content };
    await appendFile(file, `${JSON.stringify(row)}\n`);
    this.rows.push(row);
    return row.id;
  }

  async each(after, give) {
    const found = this.rows.filter(({ id }) => id > after).sort((a, b) => a.id - b.id);
    for (const row of found) {
      give(row);
      // A database hands out its rows one by one.
      await new Promise(setImmediate);
    }
  }
}

const table = new Table();
await table.load();
const http = createServer();
const io = new Server(http, { connectionStateRecovery: {} });

io.on("connection", async (socket) => {
  socket.on("chat message", async (content, key, answer) => {
    let id;
    try {
      id = await table.insert(content, key);
    } catch (error) {
      if (error.errno === 19) answer();
      return;
    }
    io.emit("chat message", content, id);
    answer();
  });
  if (!socket.recovered) {
    await table.each(socket.handshake.auth.serverOffset ?? 0, ({ id, content }) => socket.emit("chat message", content, id));
  }
});

http.listen(Number(port), "127.0.0.1");
