// Handlers and packet middlewares that a test puts on one socket, and what they have noted.

export function ownHandlers(socket) {
  const notes = [];
  const handlers = new Map(); // label -> the function that takes it off
  // Handlers of every event would note the commands of the test as well.
  const noteIfTest = (label, event, args) => {
    if (event.startsWith("test")) notes.push([label, event, ...args]);
  };

  socket.on("listen", (kind, name, label, answer) => {
    const one = (...args) => notes.push([label, name, ...args]);
    const any = (event, ...args) => noteIfTest(label, event, args);
    const [add, remove] = {
      on: [() => socket.on(name, one), () => socket.off(name, one)],
      once: [() => socket.once(name, one), () => socket.off(name, one)],
      any: [() => socket.onAny(any), () => socket.offAny(any)],
      "prepend any": [() => socket.prependAny(any), () => socket.offAny(any)],
      outgoing: [() => socket.onAnyOutgoing(any), () => socket.offAnyOutgoing(any)],
      "prepend outgoing": [() => socket.prependAnyOutgoing(any), () => socket.offAnyOutgoing(any)],
    }[kind];
    add();
    handlers.set(label, remove);
    answer();
  });
  socket.on("unlisten", (label, answer) => {
    handlers.get(label)?.();
    answer();
  });
  socket.on("unlisten all", (kind, name, answer) => {
    if (kind === "on") socket.removeAllListeners(name);
    else if (kind === "any") socket.offAny();
    else socket.offAnyOutgoing();
    answer();
  });
  socket.on("use", (label, answer) => {
    socket.use(([event, ...args], next) => {
      noteIfTest(label, event, args.filter((arg) => typeof arg !== "function"));
      next(event === "test refused" ? new Error(`refused by ${label}`) : undefined);
    });
    socket.on("error", (error) => notes.push(["error", error.message]));
    answer();
  });
  socket.on("heard", (answer) => answer(notes.splice(0)));
}
