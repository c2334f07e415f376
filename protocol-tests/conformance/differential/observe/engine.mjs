// Sessions of Engine.IO alone: posts, frames, and the probe of an upgrade.

import { settle } from "../../lib/wait.mjs";
import { Polling, Socket } from "../connections.mjs";
import { v3, v4 } from "../dialects.mjs";
import * as normal from "../normal.mjs";
import { drain, frameLine, hear, hearControl, leave } from "./listen.mjs";

const ENGINE = "/engine.io/";

export const engineKinds = {
  polling: (...all) => polling(v4, ...all),
  polling3: (...all) => polling(v3, ...all),
  websocket: (...all) => websocket(v4, ...all),
  websocket3: (...all) => websocket(v3, ...all),
  probe,
};

async function polling(dialect, server, { posts, base64 }, notes) {
  const session = await Polling.open(server, ENGINE, { dialect, query: base64 ? "&b64=1" : "" });
  try {
    notes.add(normal.enginePacket(session.first));
    for (const { body, hex, headers } of posts) {
      notes.step += 1;
      notes.add(...normal.response(await session.post(hex === undefined ? body : Buffer.from(hex, "hex"), headers)));
      await drain(session, notes);
      if (session.closed) break;
    }
    notes.step += 1;
    if (!session.closed) notes.add(...normal.response(await session.send("1")));
  } finally {
    session.hangUp();
  }
  notes.add(...(await server.witness.fate(session.sid)));
}

async function websocket(dialect, server, { frames, base64 }, notes) {
  const session = await Socket.dial(server, `${ENGINE}?${dialect.query}&transport=websocket${base64 ? "&b64=1" : ""}`);
  let sid;
  try {
    const open = await session.next();
    notes.add(frameLine(open));
    sid = JSON.parse(open.text.slice(1)).sid;
    for (const one of frames) {
      notes.step += 1;
      await session.send(one);
      await hear(session, notes);
      if (session.closed) break;
    }
    await leave(session);
  } finally {
    session.hangUp();
  }
  notes.step += 1;
  notes.add(...(await server.witness.fate(sid)));
}

async function probe(server, { parked, before, frames, after }, notes) {
  const session = await Polling.open(server, ENGINE);
  let wire;
  try {
    for (const packet of before) notes.add(...normal.response(await session.post(packet)));
    if (before.length > 0) await drain(session, notes);
    const isParked = parked && isProbe(frames[0]);
    const poll = isParked ? session.poll().catch((error) => [error.message]) : null;
    if (isParked) await settle();
    wire = await Socket.dial(server, session.target.replace("polling", "websocket"));
    const upgraded = await upgrade(wire, frames, poll, notes);
    notes.step += 1;
    if (wire.closed && !upgraded) {
      for (const packet of session.closed ? [] : after) {
        notes.add(...normal.response(await session.post(packet)));
        await drain(session, notes);
        if (session.closed) break;
      }
      if (!session.closed) await session.post("1");
    } else {
      await leave(wire);
    }
  } finally {
    session.hangUp();
    wire?.hangUp();
  }
  notes.add(...(await server.witness.fate(session.sid)));
}

/** Sends the frames, and tells whether they have moved the session. */
async function upgrade(wire, frames, poll, notes) {
  let probed = false;
  let upgraded = false;
  for (const one of frames) {
    notes.step += 1;
    await wire.send(one);
    if (!probed && isProbe(one)) {
      probed = true;
      notes.add(frameLine(await wire.next()));
      if (poll !== null) notes.add(`poll in flight: ${(await poll).join(" ")}`);
    } else {
      // Until it is upgraded, anything but the upgrade packet is the end of it.
      upgraded ||= one.text?.startsWith("5") && one.opcode === undefined;
      await (upgraded ? hear(wire, notes) : hearControl(wire, notes));
    }
    if (wire.closed) return upgraded;
  }
  if (!upgraded) await leave(wire);
  return upgraded;
}

function isProbe({ text, ...special }) {
  return text === "2probe" && Object.keys(special).length === 0;
}
