// Runs one case against one server and notes all that comes back, as lines with the step that brought them about.

import { opcodes, RawWebSocket } from "../lib/frames.mjs";
import { settle } from "../lib/wait.mjs";
import { request, Wire } from "../lib/wire.mjs";
import { Polling, Socket } from "./connections.mjs";
import { v3, v4 } from "./dialects.mjs";
import * as normal from "./normal.mjs";
import { bytesOf } from "./text.mjs";

const ENGINE = "/engine.io/";
const SOCKET = "/socket.io/";

// What a session that is still there answers at once. It tells that everything before it has been answered, too.
const ENGINE_MARK = "4~";
const SOCKET_MARK = "40/~,";
const SOCKET_MARK_ANSWER = '44/~,{"message":"Invalid namespace"}';

// A request that is not answered by then never is.
const UNANSWERED = 2000;

/** The lines `{ step, line }` of a case against a server: `{ port, witness }`. */
export async function observe(server, testCase) {
  const notes = new Notes();
  await kinds[testCase.kind](server, testCase, notes);
  return notes.lines;
}

class Notes {
  lines = [];
  step = 0;

  add(...lines) {
    this.lines.push(...lines.map((line) => ({ step: this.step, line })));
  }
}

const kinds = {
  handshake,
  polling: (...all) => polling(v4, ...all),
  polling3: (...all) => polling(v3, ...all),
  websocket: (...all) => websocket(v4, ...all),
  websocket3: (...all) => websocket(v3, ...all),
  probe,
  socket,
};

async function handshake(server, { opened, requests }, notes) {
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

/** Polls until everything has come that there is to come. */
async function drain(session, notes, mark = ENGINE_MARK, answer = mark, line = normal.enginePacket) {
  const marked = await session.send(mark);
  if (marked?.status !== 200) notes.add(...normal.response(marked));
  for (let polls = 0; !session.closed; polls += 1) {
    if (polls === 50) throw new Error("the server has not answered the mark in 50 polls");
    const packets = await session.poll();
    notes.add(...packets.filter((one) => one !== "6" && one !== answer).map(line).filter((one) => one !== null));
    if (packets.includes(answer)) return;
  }
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

/** Reads frames until the mark is answered. */
async function hear(session, notes, mark = ENGINE_MARK, answer = mark, line = frameLine) {
  await session.send({ text: mark });
  while (!session.closed) {
    const received = await session.next();
    if (received.text === answer) return;
    const told = line(received);
    if (told !== null) notes.add(told);
  }
}

function frameLine(received) {
  if (received.text !== undefined) return normal.enginePacket(received.text);
  if (received.close !== undefined) return `close frame ${received.close}`;
  if (received.control !== undefined) return `control frame ${received.control} ${received.hex}`;
  return received.end ? "connection ended" : `<${received.hex}>`;
}

/** A WebSocket ends with a close frame from us, as a client's does. */
async function leave(session) {
  if (session.closed) return;
  await session.send({ close: 1000 });
  while (!session.closed) await session.next();
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

/** As `hear`, where a packet would be the end: every WebSocket that stands answers a ping. */
async function hearControl(session, notes) {
  // The first may be answered from the batch that brings the end.
  for (let pings = 0; pings < 2 && !session.closed; pings += 1) {
    await session.send({ text: "~", opcode: opcodes.ping });
    for (let pong = false; !pong && !session.closed; ) {
      const received = await session.next();
      pong = received.control === opcodes.pong && received.hex === "7e";
      if (!pong) notes.add(frameLine(received));
    }
  }
}

async function socket(server, { carrier, steps }, notes) {
  const packets = new normal.SocketPackets();
  const session = carrier === "polling" ? await Polling.open(server, SOCKET) : await openWebSocket(server);
  try {
    await (carrier === "polling" ? walkPolling : walkWebSocket)(session, steps, packets, notes);
  } finally {
    session.hangUp();
  }
  notes.step += 1;
  for (const id of packets.ids) notes.add(`left: ${await server.witness.left(id)}`);
}

async function openWebSocket(server) {
  const session = await Socket.dial(server, `${SOCKET}?EIO=4&transport=websocket`);
  await session.next();
  return session;
}

async function walkPolling(session, steps, packets, notes) {
  const line = (packet) => {
    if (packet.startsWith("4")) return packets.add(packet.slice(1));
    if (packet.startsWith("b")) return packets.add(Buffer.from(packet.slice(1), "base64"));
    return normal.enginePacket(packet);
  };
  for (const messages of steps) {
    notes.step += 1;
    const body = messages.map((one) => (typeof one === "string" ? `4${one}` : `b${Buffer.from(one.hex, "hex").toString("base64")}`));
    notes.add(...normal.response(await session.post(body.join("\x1e"))));
    await drain(session, notes, SOCKET_MARK, SOCKET_MARK_ANSWER, line);
    if (session.closed) return;
  }
  await session.post("1");
}

async function walkWebSocket(session, steps, packets, notes) {
  const line = (received) => {
    if (received.text?.startsWith("4")) return packets.add(received.text.slice(1));
    return received.hex !== undefined && received.control === undefined ? packets.add(Buffer.from(received.hex, "hex")) : frameLine(received);
  };
  for (const messages of steps) {
    notes.step += 1;
    for (const one of messages) await session.send(typeof one === "string" ? { text: `4${one}` } : one);
    await hear(session, notes, SOCKET_MARK, SOCKET_MARK_ANSWER, line);
    // The reference answers some packets in the turn after they came, and the mark at once: a second one is behind all.
    if (!session.closed) await hear(session, notes, SOCKET_MARK, SOCKET_MARK_ANSWER, line);
    if (session.closed) return;
  }
  await leave(session);
}
