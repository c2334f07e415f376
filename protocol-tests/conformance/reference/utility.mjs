// What can be done with many sockets at once, what becomes of rooms, and what is known of a client's request.

/** What happens to the rooms of a namespace, noted from now on. */
export function noteRooms(namespace) {
  const seen = [];
  namespace.adapter.on("create-room", (room) => seen.push([room, "create"]));
  namespace.adapter.on("join-room", (room, id) => seen.push([room, `join ${id}`]));
  namespace.adapter.on("leave-room", (room, id) => seen.push([room, `leave ${id}`]));
  namespace.adapter.on("delete-room", (room) => seen.push([room, "delete"]));
  return (room) => seen.filter(([name]) => name === room).map(([, what]) => what);
}

export function utilities(socket, operatorOf, rooms) {
  socket.on("sockets", async (target, answer) => {
    const found = await operatorOf(target).fetchSockets();
    answer(found.map(({ id, rooms }) => ({ id, rooms: [...rooms].sort() })).sort((one, other) => (one.id < other.id ? -1 : 1)));
  });
  socket.on("sockets join", (target, rooms, answer) => {
    operatorOf(target).socketsJoin(rooms);
    answer();
  });
  socket.on("sockets leave", (target, room, answer) => {
    operatorOf(target).socketsLeave(room);
    answer();
  });
  socket.on("disconnect sockets", (target, close, answer) => {
    operatorOf(target).disconnectSockets(close);
    answer();
  });
  socket.on("room events", (room, answer) => answer(rooms(room)));
  socket.on("handshake", (query, headers, answer) => {
    const { handshake } = socket;
    answer({
      query: query.map((name) => handshake.query[name] ?? null),
      headers: headers.map((name) => handshake.headers[name] ?? null),
      auth: handshake.auth,
      address: handshake.address,
      url: handshake.url,
      age: Date.now() - handshake.issued,
      secure: handshake.secure,
    });
  });
}
