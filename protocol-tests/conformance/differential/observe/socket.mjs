// Walks through the namespaces of one session, over either carrier and with either parser.

import { Polling, Socket } from "../connections.mjs";
import * as normal from "../normal.mjs";
import { Msgpack, Plain } from "../parsers.mjs";
import { drain, frameLine, hear, inBody, leave } from "./listen.mjs";

const SOCKET = "/socket.io/";

export const socketKinds = {
  socket: (...all) => walk(new Plain(), ...all),
  msgpack: (...all) => walk(new Msgpack(), ...all),
};

async function walk(parser, server, { carrier, steps }, notes) {
  const session = await openers[carrier](server);
  try {
    await (carrier === "polling" ? walkPolling : walkWebSocket)(session, steps, parser, notes);
  } finally {
    session.hangUp();
  }
  notes.step += 1;
  for (const id of parser.ids) notes.add(`left: ${await server.witness.left(id)}`);
}

const openers = { polling: (server) => Polling.open(server, SOCKET), websocket: openWebSocket, upgrade: openUpgraded };

/** A session that began on long-polling. */
async function openUpgraded(server) {
  const polling = await Polling.open(server, SOCKET);
  const session = await Socket.dial(server, polling.target.replace("polling", "websocket"));
  await session.send({ text: "2probe" });
  await session.next();
  await session.send({ text: "5" });
  polling.hangUp();
  return session;
}

async function openWebSocket(server) {
  const session = await Socket.dial(server, `${SOCKET}?EIO=4&transport=websocket`);
  await session.next();
  return session;
}

async function walkPolling(session, steps, parser, notes) {
  for (const messages of steps) {
    notes.step += 1;
    notes.add(...normal.response(await session.send(...messages.map(frameOf).map(inBody))));
    await drain(session, notes, parser.mark, lineWith(parser));
    // Whether there may be a namespace takes a while to be known, and the next question may be answered first.
    if (!session.closed && messages.some((one) => parser.asks(one))) await drain(session, notes, parser.mark, lineWith(parser));
    if (session.closed) return;
  }
  await session.post("1");
}

async function walkWebSocket(session, steps, parser, notes) {
  for (const messages of steps) {
    notes.step += 1;
    for (const one of messages) await session.send(frameOf(one));
    await hear(session, notes, parser.mark, lineWith(parser));
    // The reference answers some packets in the turn after they came, and the mark at once: a second one is behind all.
    if (!session.closed) await hear(session, notes, parser.mark, lineWith(parser));
    if (session.closed) return;
  }
  await leave(session);
}

/** A message of a case, text or `{ hex }`, as a message of Engine.IO. */
function frameOf(message) {
  return typeof message === "string" ? { text: `4${message}` } : message;
}

function lineWith(parser) {
  return (received) => {
    if (received.text?.startsWith("4")) return parser.add(received.text.slice(1));
    return received.hex !== undefined && received.control === undefined ? parser.add(Buffer.from(received.hex, "hex")) : frameLine(received);
  };
}
