// Waits until everything has come back that there is to come, and notes it.
//
// A mark is a message that a session which is still there answers at once: its answer tells that everything before it has
// been answered, too. No case sends one.

import { opcodes } from "../../lib/frames.mjs";
import * as normal from "../normal.mjs";

/** What has come back: lines with the step that brought them about. */
export class Notes {
  lines = [];
  step = 0;

  add(...lines) {
    this.lines.push(...lines.map((line) => ({ step: this.step, line })));
  }
}

/** The mark of Engine.IO alone, whose messages are echoed. */
export const engineMark = { sends: { text: "4~" }, isAnswer: ({ text }) => text === "4~" };

/** A message as a line, or null if it is part of one. */
export function frameLine(received) {
  if (received.text !== undefined) return normal.enginePacket(received.text);
  if (received.close !== undefined) return `close frame ${received.close}`;
  if (received.control !== undefined) return `control frame ${received.control} ${received.hex}`;
  return received.end ? "connection ended" : `<${received.hex}>`;
}

/** Polls until the mark is answered. */
export async function drain(session, notes, mark = engineMark, line = frameLine) {
  const marked = await session.send(inBody(session.dialect, mark.sends));
  if (marked?.status !== 200) notes.add(...normal.response(marked));
  for (let polls = 0; !session.closed; polls += 1) {
    if (polls === 50) throw new Error("the server has not answered the mark in 50 polls");
    const received = (await session.poll()).filter((packet) => packet !== "6").map((packet) => outOfBody(session.dialect, packet));
    notes.add(...received.filter((one) => !mark.isAnswer(one)).map(line).filter((one) => one !== null));
    if (received.some(mark.isAnswer)) return;
  }
}

/** A message as a packet in a body of long-polling. */
export function inBody({ base64 }, { text, hex }) {
  return text ?? `${base64}${Buffer.from(hex, "hex").toString("base64")}`;
}

function outOfBody({ base64 }, packet) {
  return packet.startsWith(base64) ? { hex: Buffer.from(packet.slice(base64.length), "base64").toString("hex") } : { text: packet };
}

/** Reads frames until the mark is answered. */
export async function hear(session, notes, mark = engineMark, line = frameLine) {
  await session.send(mark.sends);
  while (!session.closed) {
    const received = await session.next();
    if (mark.isAnswer(received)) return;
    const told = line(received);
    if (told !== null) notes.add(told);
  }
}

/** As `hear`, where a packet would be the end: every WebSocket that stands answers a ping. */
export async function hearControl(session, notes) {
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

/** A WebSocket ends with a close frame from us, as a client's does. */
export async function leave(session) {
  if (session.closed) return;
  await session.send({ close: 1000 });
  while (!session.closed) await session.next();
}
