// The fixture of fixture.md on npm socket.io and engine.io: what the tests compare our server with.

import { createServer } from "node:http";
import { attach, listen } from "engine.io";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { joinInTheChain, noteNames, parentsOf } from "./family.mjs";
import { echoElsewhere, useLayers } from "./layers.mjs";
import { ownHandlers } from "./own.mjs";
import { noteRooms, utilities } from "./utility.mjs";

const { maxPayload, refuse, ask, headers, layers, events, generateId, alone, cleanup, parser, port = 0, ...given } = JSON.parse(process.argv[2] ?? "{}");
const options = {
  serveClient: false,
  ...given,
  ...(maxPayload === undefined ? {} : { maxHttpBufferSize: maxPayload }),
  ...(parser === "msgpack" ? { parser: msgpack } : {}),
  ...(cleanup === undefined ? {} : { cleanupEmptyChildNamespaces: cleanup }),
};
if (options.cors?.originSuffix) {
  const { originSuffix, ...cors } = options.cors;
  options.cors = { ...cors, origin: (origin, decide) => decide(null, origin?.endsWith(originSuffix)) };
}
if (refuse !== undefined) options.allowRequest = (_request, decide) => decide(refuse, false);
if (ask) {
  options.allowRequest = (request, decide) => {
    setTimeout(() => (request._query.pass === "1" ? decide(null, true) : decide("not you", false)), 10);
  };
}

const where = { port, host: "127.0.0.1" };
const tellPort = ({ port }) => say({ port });
if (alone) {
  const engine = listen(where, { ...options, path: "/engine.io/" }, () => tellPort(engine.httpServer.address()));
  engineFixture(engine);
} else {
  const http = createServer((request, response) => {
    response.writeHead(404, { "content-type": "text/plain" }).end("not here");
  });
  engineFixture(attach(http, { ...options, path: "/engine.io/" }));
  socketFixture(new Server(http, { ...options, path: "/socket.io/" }));
  // Without WebSocket the reference leaves upgrade requests to the handler of all others, which a listener would end.
  if (options.transports?.includes("websocket") ?? true) echoElsewhere(http);
  http.listen(where, () => tellPort(http.address()));
}
process.stdin.resume().on("end", () => process.exit(0));

function say(line) {
  console.log(JSON.stringify(line));
}

function engineFixture(engine) {
  const known = new Map(); // sid -> { messages, reasons, waiting }
  const refused = [];
  let open = 0;

  if (layers) useLayers(engine);
  if (generateId) {
    engine.generateId = async ({ _query }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (_query.x === undefined) throw new Error("there is nothing to make an id of");
      return `made-of-${_query.x}`;
    };
  }
  if (headers) {
    engine.on("initial_headers", (headers) => (headers["x-initial"] = "1"));
    engine.on("headers", (headers) => (headers["x-every"] = "1"));
  }
  engine.on("connection_error", ({ code, message, req, context }) => {
    refused.push({ code, message: code === 4 ? context.message : message, url: req.url });
  });
  engine.on("connection", (session) => {
    const record = { messages: 0, reasons: [], waiting: [], events: [] };
    if (events) {
      session.on("packet", ({ type }) => record.events.push(type));
      for (const name of ["flush", "drain", "upgrading", "upgrade"]) session.on(name, () => record.events.push(name));
    }
    known.set(session.id, record);
    open += 1;
    session.on("message", (message) => {
      record.messages += 1;
      if (typeof message === "string" && message.startsWith("!")) command(session, message);
      else session.send(message);
    });
    session.on("close", (reason) => {
      record.reasons.push(reason);
      open -= 1;
      for (const tell of record.waiting.splice(0)) tell();
    });
  });

  function command(session, message) {
    const [name, argument] = message.slice(1).split(" ");
    const count = Number(argument);
    const record = known.get(argument);
    const tell = () => session.send(JSON.stringify(record ? { messages: record.messages, reasons: record.reasons } : null));
    switch (name) {
      case "close":
        return session.close();
      case "burst":
        for (let i = 0; i < count; i += 1) session.send(String(i));
        return;
      case "plain":
        return session.send("a".repeat(count), { compress: false });
      case "drip": {
        let i = 0;
        const timer = setInterval(() => {
          if (i < count) session.send(String(i++));
          else clearInterval(timer);
        }, 1);
        return;
      }
      case "status":
        return tell();
      case "closed":
        if (record && record.reasons.length === 0) record.waiting.push(tell);
        else tell();
        return;
      case "open":
        return session.send(String(open));
      case "request":
        return session.send(JSON.stringify({ x: session.request._query.x ?? null, user: session.request.user ?? null }));
      case "events":
        return session.send(JSON.stringify(record?.events ?? null));
      case "refused": {
        const those = refused.filter(({ url }) => url.includes(argument));
        return session.send(JSON.stringify(those.map(({ code, message }) => [code, message])));
      }
      case "stop":
        engine.close();
        engine.close();
        return setImmediate(() => say({ stopped: Object.fromEntries([...known].map(([sid, { reasons }]) => [sid, reasons])) }));
    }
  }
}

function socketFixture(io) {
  const left = new Map(); // socket id -> { reasons, waiting }
  const seen = new Map(); // tag -> connections

  const made = noteNames(io);
  for (const name of ["/", "/other", "/guarded", "/joining"]) {
    const namespace = io.of(name);
    if (name === "/guarded") guard(namespace);
    if (name === "/joining") joinInTheChain(namespace);
    const rooms = noteRooms(namespace);
    namespace.on("connection", (socket) => {
      const { tag } = socket.handshake.auth;
      seen.set(tag, (seen.get(tag) ?? 0) + 1);
      if (name === "/guarded") socket.emit("welcome", socket.data.notes);
      handlers(namespace, socket, rooms);
    });
  }
  for (const parent of parentsOf(io)) parent.on("connection", (socket) => handlers(parent, socket, () => []));

  function guard(namespace) {
    namespace.use((socket, next) => {
      socket.data.notes = ["first"];
      next();
    });
    namespace.use(async (socket, next) => {
      const { wait, token, plain } = socket.handshake.auth;
      if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
      socket.data.notes.push("second");
      if (token === "secret") return next();
      if (plain) return next(new Error("go away"));
      next(Object.assign(new Error("not authorized"), { data: { reason: "bad token" } }));
    });
  }

  function handlers(namespace, socket, rooms) {
    const started = [];
    const waiting = [];
    left.set(socket.id, { reasons: [], waiting: [], rooms: [[], []] });
    ownHandlers(socket);
    utilities(socket, (target) => operator(namespace, socket, target), rooms);

    socket.on("echo", (...args) => {
      const answer = typeof args.at(-1) === "function" ? args.pop() : (...same) => socket.emit("echo", ...same);
      answer(...args);
    });
    socket.on("echo twice", (...args) => {
      const answer = args.pop();
      answer(...args);
      answer("again");
    });
    socket.on("ask", (event, args, ms, answer) => {
      socket.timeout(ms).emit(event, ...args, (error, ...got) => answer(error ? { error: true } : { answer: got }));
    });
    socket.on("join", (rooms, answer) => {
      socket.join(rooms);
      answer();
    });
    socket.on("leave", (room, answer) => {
      socket.leave(room);
      answer();
    });
    socket.on("rooms", (answer) => answer([...socket.rooms].sort()));
    socket.on("send", (target, event, args, answer) => {
      operator(namespace, socket, target).emit(event, ...args);
      answer();
    });
    socket.on("ask all", (target, event, args, answer) => {
      operator(namespace, socket, target).emit(event, ...args, (error, answers) => answer({ error: Boolean(error), answers }));
    });
    socket.on("disconnect", (reason) => {
      const record = left.get(socket.id);
      record.reasons.push(reason);
      record.rooms[1] = otherRooms(socket);
      for (const tell of record.waiting.splice(0)) tell();
    });
    socket.on("disconnecting", () => (left.get(socket.id).rooms[0] = otherRooms(socket)));
    socket.on("leave me", (close) => socket.disconnect(close));
    socket.on("set", (value, answer) => {
      socket.data.value = value;
      answer();
    });
    socket.on("get", (answer) => answer(socket.data.value ?? null));
    socket.on("recovered", (answer) => answer(socket.recovered));
    socket.on("auth", (answer) => answer(socket.handshake.auth));
    socket.on("start", async (n) => {
      started.push(n);
      await new Promise((resolve) => waiting.push(resolve));
      socket.emit("finished", n);
    });
    socket.on("started", (answer) => answer(started));
    socket.on("release", () => {
      for (const go of waiting.splice(0)) go();
    });
    socket.on("burst", (n) => {
      for (let i = 0; i < n; i += 1) socket.emit("tick", i);
    });
    socket.on("large", (length, compress) => socket.compress(compress).emit("large", "a".repeat(length)));
    socket.on("volatile burst", (n) => {
      for (let i = 0; i < n; i += 1) socket.volatile.emit("tick", i);
      socket.emit("burst over");
    });
    socket.on("reserved", (name, answer) => {
      try {
        socket.emit(name);
        answer("sent");
      } catch {
        answer("refused");
      }
    });
    socket.on("left", (id, answer) => {
      const record = left.get(id);
      const tell = () => answer(record.reasons);
      if (record.reasons.length === 0) record.waiting.push(tell);
      else tell();
    });
    socket.on("rooms left", (id, answer) => answer(...left.get(id).rooms));
    socket.on("made", (prefix, answer) => answer(made(prefix)));
    socket.on("make", (name, answer) => {
      io.of(name);
      answer();
    });
    socket.on("close server", async () => {
      await io.close();
      say({ closed: Object.fromEntries([...left].map(([id, { reasons }]) => [id, reasons])) });
      process.exit(0);
    });
    socket.on("seen", (tag, answer) => answer(seen.get(tag) ?? 0));
  }
}

function otherRooms({ id, rooms }) {
  return [...rooms].filter((room) => room !== id).sort();
}

function operator(namespace, socket, { from, to = [], except = [], volatile = false, local = false, timeout }) {
  let chosen = from === "socket" ? socket.broadcast : namespace.to([]);
  if (to.length > 0) chosen = chosen.to(to);
  if (except.length > 0) chosen = chosen.except(except);
  if (volatile) chosen = chosen.volatile;
  if (local) chosen = chosen.local;
  if (timeout !== undefined) chosen = chosen.timeout(timeout);
  return chosen;
}
