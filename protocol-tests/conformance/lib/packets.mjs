// A Socket.IO client that speaks packets by hand over either carrier, for what the official one would never send.

import assert from "node:assert/strict";
import { SOCKET } from "./sessions.mjs";

/** The payload of a packet with the attachments in their places, however the server has numbered them. */
export function reconstruct(json, attachments) {
  return JSON.parse(json, (_key, value) => (value?._placeholder === true ? [...attachments[value.num]] : value));
}

export class PacketClient {
  /** An Engine.IO session that has joined no namespace. */
  static async open(Carrier, server) {
    return new PacketClient(await Carrier.open(server, SOCKET));
  }

  /** Joined to the namespace; `id` is the socket's. */
  static async join(Carrier, server, namespace = "/", auth) {
    const client = await PacketClient.open(Carrier, server);
    client.id = await client.connect(namespace, auth);
    return client;
  }

  constructor(session) {
    this.session = session;
  }

  async connect(namespace = "/", auth) {
    const name = namespace === "/" ? "" : `${namespace},`;
    await this.send(`0${name}${auth === undefined ? "" : JSON.stringify(auth)}`);
    const answer = await this.next();
    assert.ok(answer.startsWith(`0${name}{"sid":`), answer);
    return JSON.parse(answer.slice(1 + name.length)).sid;
  }

  /** Sends Socket.IO packets: text, or a buffer as an attachment. */
  send(...packets) {
    return this.session.send(...packets.map((one) => (typeof one === "string" ? `4${one}` : one)));
  }

  /** The next Socket.IO packet or attachment; noops of an upgrade are passed over. */
  async next(ms) {
    let packet = await this.session.next(ms);
    while (packet === "6") packet = await this.session.next(ms);
    if (typeof packet !== "string") return packet;
    assert.equal(packet[0], "4", `a message, not ${JSON.stringify(packet)}`);
    return packet.slice(1);
  }

  /** Still there and answering in this namespace. */
  async echoes(namespace = "/") {
    const name = namespace === "/" ? "" : `${namespace},`;
    await this.send(`2${name}77["echo","still here"]`);
    assert.equal(await this.next(), `3${name}77["still here"]`);
  }

  /** The Socket.IO packets that came before the server closed the session. */
  async ended(ms) {
    const packets = await this.session.ended(ms);
    return packets.filter((one) => one !== "6").map((one) => (typeof one === "string" ? one.slice(1) : one));
  }

  leave() {
    return this.session.leave();
  }
}
