// The official socket.io-client as the tests use it: a connection of its own, no reconnection, closed when the test ends.

import { Manager } from "socket.io-client";
import { event, Inbox, PATIENCE, within } from "./wait.mjs";

/** The ways in which the official client connects: every behaviour is checked on each of them. */
export const ways = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

/** A client that is not connected yet. Further sockets on the same connection: `socket.io.socket("/name")`. */
export function client(t, server, { way = "upgrade", namespace = "/", auth, ...options } = {}) {
  const manager = new Manager(server.url, { transports: ways[way], reconnection: false, ...options });
  t.after(() => manager._close());
  return manager.socket(namespace, { auth });
}

/** A client that is connected. */
export async function connected(t, server, options) {
  const socket = client(t, server, options);
  await event(socket, "connect");
  return socket;
}

/** Emits and returns the acknowledgement's arguments. */
export function call(socket, name, ...args) {
  return within(new Promise((resolve) => socket.emit(name, ...args, (...answer) => resolve(answer))), `the answer to "${name}"`);
}

/** Collects the arguments of every event of that name, from now on. */
export function collect(socket, name) {
  const inbox = new Inbox();
  socket.on(name, (...args) => inbox.put(args));
  return inbox;
}

/** Resolves when the client's transport is a WebSocket, at once if it is already. */
export async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await event(engine, "upgrade", PATIENCE);
}
