// Walks through the namespaces of one session, over either carrier and with either parser.

import { Polling, Socket } from "../connections.mjs";
import { v3, v4 } from "../dialects.mjs";
import * as normal from "../normal.mjs";
import { Msgpack, Plain, Plain2 } from "../parsers.mjs";
import { drain, frameLine, hear, inBody, leave } from "./listen.mjs";

const SOCKET = "/socket.io/";

export const socketKinds = {
  socket: (...all) => walk(v4, () => new Plain(), ...all),
  socket2: (...all) => walk(v3, (sid) => new Plain2(sid), ...all),
  msgpack: (...all) => walk(v4, () => new Msgpack(), ...all),
};

async function walk(dialect, parserFor, server, { carrier, steps }, notes) {
  const session = await openers[carrier](server, dialect);
  const parser = parserFor(session.sid);
  try {
    await (carrier === "polling" ? walkPolling : walkWebSocket)(session, dialect, steps, parser, notes);
  } finally {
    session.hangUp();
  }
  notes.step += 1;
  for (const id of parser.ids) notes.add(`left: ${await server.witness.left(id)}`);
}

const openers = {
  polling: (server, dialect) => Polling.open(server, SOCKET, { dialect }),

  async websocket(server, { query }) {
    const session = await Socket.dial(server, `${SOCKET}?${query}&transport=websocket`);
    session.sid = JSON.parse((await session.next()).text.slice(1)).sid;
    return session;
  },

  /** A session that began on long-polling. */
  async upgrade(server, dialect) {
    const polling = await Polling.open(server, SOCKET, { dialect });
    const session = await Socket.dial(server, polling.target.replace("polling", "websocket"));
    session.sid = polling.sid;
    await session.send({ text: "2probe" });
    await session.next();
    await session.send({ text: "5" });
    polling.hangUp();
    return session;
  },
};

async function walkPolling(session, dialect, steps, parser, notes) {
  // A client 2 is told that it is in the main namespace.
  if (dialect === v3) await drain(session, notes, parser.mark, lineWith(parser));
  for (const messages of steps) {
    notes.step += 1;
    notes.add(...normal.response(await session.send(...messages.map((one) => inBody(dialect, frameOf(one))))));
    await drain(session, notes, parser.mark, lineWith(parser));
    // Whether there may be a namespace takes a while to be known, and the next question may be answered first.
    if (!session.closed && messages.some((one) => parser.asks(one))) await drain(session, notes, parser.mark, lineWith(parser));
    if (session.closed) return;
  }
  await session.send("1");
}

async function walkWebSocket(session, { frameType }, steps, parser, notes) {
  const line = lineWith(parser, frameType.length);
  if (frameType !== "") await hear(session, notes, parser.mark, line);
  for (const messages of steps) {
    notes.step += 1;
    for (const one of messages.map(frameOf)) await session.send(one.hex === undefined ? one : { hex: frameType + one.hex });
    await hear(session, notes, parser.mark, line);
    // The reference answers some packets in the turn after they came, and the mark at once: a second one is behind all.
    if (!session.closed) await hear(session, notes, parser.mark, line);
    if (session.closed) return;
  }
  await leave(session);
}

/** A message of a case, text or `{ hex }`, as a message of Engine.IO. */
function frameOf(message) {
  return typeof message === "string" ? { text: `4${message}` } : message;
}

/** Of a binary message so many digits are its type. */
function lineWith(parser, start = 0) {
  return (received) => {
    if (received.text?.startsWith("4")) return parser.add(received.text.slice(1));
    return received.hex !== undefined && received.control === undefined ? parser.add(Buffer.from(received.hex.slice(start), "hex")) : frameLine(received);
  };
}
