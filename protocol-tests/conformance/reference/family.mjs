// Namespaces that clients bring about, and their parents.

/** The parents, in the order in which they are asked: a label and the namespace. */
export function parentsOf(io) {
  const parents = [
    ["dynamic", io.of(/^\/dynamic-/)],
    ["async", io.of((name, auth, next) => setImmediate(() => next(null, name.startsWith("/async-") && auth.allow === true)))],
    ["any d", io.of(/^\/d/)],
  ];
  for (const [label, parent] of parents) {
    parent.use((socket, next) => next(socket.handshake.auth.refuse ? new Error("refused") : undefined));
    parent.on("connection", (socket) => socket.emit("parent", label));
  }
  return parents.map(([, parent]) => parent);
}

/** The namespace whose middleware joins a room before it decides, and tells whether the socket counted as connected. */
export function joinInTheChain(namespace) {
  namespace.use((socket, next) => {
    socket.data.before = socket.connected;
    socket.join("in the chain");
    next(socket.handshake.auth.refuse ? new Error("refused") : undefined);
  });
  namespace.on("connection", (socket) => socket.emit("connected", socket.data.before, socket.connected));
}

/** Answers with the names of new namespaces that begin with a prefix, from now on. */
export function noteNames(io) {
  const made = [];
  io.on("new_namespace", ({ name }) => made.push(name));
  return (prefix) => made.filter((name) => name.startsWith(prefix));
}
