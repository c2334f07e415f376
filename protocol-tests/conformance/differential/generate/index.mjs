// The case of a number: of which kind it is, and what it sends.

import { Random } from "../random.mjs";
import { pollingCase, probeCase, webSocketCase } from "./engine.mjs";
import { polling3Case, webSocket3Case } from "./engine3.mjs";
import { handshakeCase } from "./handshake.mjs";
import { msgpackCase } from "./msgpack.mjs";
import { socket2Case, socketCase } from "./socket.mjs";

const generators = {
  handshake: [3, handshakeCase],
  polling: [3, pollingCase],
  websocket: [3, webSocketCase],
  polling3: [1, polling3Case],
  websocket3: [1, webSocket3Case],
  probe: [1, probeCase],
  socket: [8, socketCase],
  socket2: [2, socket2Case],
  msgpack: [2, msgpackCase],
};

export const kinds = Object.keys(generators);

/** Case `number` of a run, the same whenever it is asked for; of the kind that is named, or of any. */
export function generate(seed, number, kind) {
  const random = new Random(seed, number);
  if (kind !== undefined) return generators[kind][1](random);
  return random.oneOf(Object.values(generators).map(([weight, make]) => [weight, () => make(random)]));
}
