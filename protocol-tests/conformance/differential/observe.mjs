// Runs one case against one server and notes all that comes back, as lines with the step that brought them about.

import { engineKinds } from "./observe/engine.mjs";
import { handshake } from "./observe/handshake.mjs";
import { Notes } from "./observe/listen.mjs";
import { socketKinds } from "./observe/socket.mjs";

const kinds = { handshake, ...engineKinds, ...socketKinds };

/** The lines `{ step, line }` of a case against a server: `{ port, witness }`. */
export async function observe(server, testCase) {
  const notes = new Notes();
  await kinds[testCase.kind](server, testCase, notes);
  return notes.lines;
}
