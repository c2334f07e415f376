// The official server with the events of the scenarios: `node socketio-server.mjs <port> <ping interval>`, in ms.

import { createServer } from "node:http";

import { Server } from "socket.io";

const [port, pingInterval = 25_000] = process.argv.slice(2).map(Number);
const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval });

io.on("connection", (socket) => {
  for (const event of ["echo", "object", "binary"]) {
    socket.on(event, (value, answer) => answer(value));
  }
  socket.on("broadcast", (text) => io.emit("broadcast", text));
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer(room);
  });
  socket.on("room", (room, text) => io.to(room).emit("room", text));
});

http.listen(port, "127.0.0.1");
