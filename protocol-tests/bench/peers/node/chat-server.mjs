// A chat with the loop of the usual tutorial: insert, then broadcast, then answer. `node chat-server.mjs <port> <file>`.
//
// Its database is as durable as ours: WAL, and every commit flushed before it is answered.

import { createServer } from "node:http";

import { Server } from "socket.io";
import { open } from "sqlite";
import sqlite3 from "sqlite3";

const [port, filename] = process.argv.slice(2);
const database = await open({ filename, driver: sqlite3.Database });
await database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, client_offset TEXT UNIQUE, content TEXT);
`);

const http = createServer();
const io = new Server(http, { serveClient: false });

io.on("connection", async (socket) => {
  socket.on("chat message", async (content, clientOffset, answer) => {
    let result;
    try {
      result = await database.run("INSERT INTO messages (content, client_offset) VALUES (?, ?)", content, clientOffset);
    } catch (error) {
      // 19 is SQLite's word for a key that is there already.
      if (error.errno === 19) answer();
      return;
    }
    io.emit("chat message", content, result.lastID);
    answer();
  });
});

http.listen(Number(port), "127.0.0.1");
