// Requests on connections of their own, and what is answered.

import { RawWebSocket } from "../../lib/frames.mjs";
import { request, Wire } from "../../lib/wire.mjs";
import { Polling, Socket } from "../connections.mjs";
import * as normal from "../normal.mjs";
import { bytesOf } from "../text.mjs";
import { frameLine } from "./listen.mjs";

const ENGINE = "/engine.io/";

// A request that is not answered by then never is.
const UNANSWERED = 2000;

export async function handshake(server, { opened, requests }, notes) {
  const session = await openSession(server, opened);
  try {
    for (const one of requests) {
      notes.step += 1;
      await oneRequest(server, session, one, notes);
    }
  } finally {
    session?.hangUp();
  }
}

/** A session with a message that waits, so that a poll is answered at once. */
async function openSession(server, opened) {
  if (opened === "none") return null;
  if (opened === "polling") {
    const session = await Polling.open(server, ENGINE);
    await session.post("4waiting");
    return session;
  }
  const session = await Socket.dial(server, `${ENGINE}?EIO=4&transport=websocket`);
  session.sid = JSON.parse((await session.next()).text.slice(1)).sid;
  return session;
}

async function oneRequest(server, session, { method, target, headers, body }, notes) {
  const wire = await Wire.open(server.port);
  try {
    const sent = Object.fromEntries(headers.map(([name, value]) => [name, bytesOf(value).toString("latin1")]));
    await wire.write(request(method, target.replaceAll("{sid}", session?.sid ?? "none"), { headers: sent, body: body && bytesOf(body) }));
    const response = await wire.response({ bodiless: method === "HEAD", ms: UNANSWERED }).catch(() => null);
    notes.add(...(response === null && !wire.ended ? ["no answer"] : normal.response(response)));
    if (response?.status !== 101) return;
    const socket = new Socket(new RawWebSocket(wire, response));
    const beginsSession = !/[?&]sid=[^&]/.test(target);
    if (beginsSession) notes.add(frameLine(await socket.next()));
    // Now it is against the rules; to one that is to take a session over it is the first word.
    await socket.send({ text: "2probe" });
    if (!socket.closed) notes.add(frameLine(await socket.next()));
  } finally {
    wire.destroy();
  }
}
