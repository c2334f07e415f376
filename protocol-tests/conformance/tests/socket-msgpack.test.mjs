// The parser for MessagePack, with the official client on each of its ways, and packets by hand, whole and broken.

import assert from "node:assert/strict";
import { test } from "node:test";
import msgpack from "socket.io-msgpack-parser";
import { call, client, collect, connected, ways } from "../lib/client.mjs";
import { group } from "../lib/groups.mjs";
import { carriers, SOCKET } from "../lib/sessions.mjs";
import { differs, ownServer, server } from "../lib/target.mjs";
import { event, within } from "../lib/wait.mjs";

const PARSER = { parser: "msgpack" };
const bytes = (...values) => Buffer.from(values);

/** A server with the parser. */
const packing = (options) => server({ ...PARSER, ...options });

/** A client with the parser that is connected. */
const packed = (t, target, options) => connected(t, target, { parser: msgpack, ...options });

for (const way of Object.keys(ways)) {
  const over = `MessagePack over ${way}`;

  group("Parsers", () => {
    test(`${over}: every JSON value comes back as it was, by event and by acknowledgement [parse.msgpack ev.values ev.null]`, async (t) => {
      const socket = await packed(t, await packing(), { way });
      const big = [2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 32, -(2 ** 31) - 1, 1e-300, 1.1];
      const long = ["x".repeat(300), "é".repeat(70_000), Array.from({ length: 70_000 }, (_, i) => i)];
      const values = [1, "2", null, true, -1.5, { a: [{ b: null }] }, [], [[1]], "é€😀\u2028\u0000", "", {}, ...big, ...long];
      assert.deepEqual(await call(socket, "echo", ...values), values);
      const answer = event(socket, "echo");
      socket.emit("echo", ...values);
      assert.deepEqual(await answer, values);
      assert.deepEqual(await call(socket, "echo"), []);
    });

    test(`${over}: bytes come back as bytes, by event and by acknowledgement [parse.msgpack ev.binary ev.ack-binary]`, async (t) => {
      const socket = await packed(t, await packing(), { way });
      const values = [bytes(1, 2, 3), "text", { nested: { deep: [bytes(4)] } }, bytes(), [bytes(5), bytes(6, 7)]];
      assert.deepEqual(await call(socket, "echo", ...values), values);
      const answer = event(socket, "echo");
      socket.emit("echo", ...values);
      assert.deepEqual(await answer, values);
    });

    test(`${over}: a client is asked, and answers with bytes or with nothing [parse.msgpack ev.ack-server ev.ack-binary]`, async (t) => {
      const socket = await packed(t, await packing(), { way });
      socket.on("question", (a, b, answer) => answer(a * b, { data: [bytes(1, 2)] }));
      socket.on("nothing", (answer) => answer());
      assert.deepEqual(await call(socket, "ask", "question", [6, 7], 5000), [{ answer: [42, { data: [bytes(1, 2)] }] }]);
      assert.deepEqual(await call(socket, "ask", "nothing", [], 5000), [{ answer: [] }]);
    });

    test(`${over}: what JSON has no word for [parse.msgpack]`, async (t) => {
      const socket = await packed(t, await packing(), { way });
      const date = new Date(1_700_000_000_123);
      const view = new Uint8Array([1, 2, 3]);
      const answer = await call(socket, "echo", date, { gone: undefined, here: 1 }, NaN, Infinity, view.buffer);
      const kept = [date, { gone: undefined, here: 1 }, NaN, Infinity, view.buffer];
      const told = ["2023-11-14T22:13:20.123Z", { here: 1 }, null, null, bytes(1, 2, 3)];
      assert.deepEqual(answer, differs({ reference: kept, ours: told }));
    });

    test(`${over}: a broadcast reaches others with its bytes, and gathers their answers [parse.msgpack]`, async (t) => {
      const target = await packing();
      const [sender, one, two] = await Promise.all([1, 2, 3].map(() => packed(t, target, { way })));
      const news = [collect(one, "news"), collect(two, "news")];
      await call(one, "join", ["room"]);
      await call(two, "join", ["room"]);
      await call(sender, "send", { from: "socket", to: ["room"] }, "news", [{ data: bytes(7) }, "x"]);
      for (const inbox of news) assert.deepEqual(await inbox.take(), [{ data: bytes(7) }, "x"]);
      one.on("vote", (answer) => answer(bytes(1)));
      two.on("vote", (answer) => answer(bytes(1)));
      const votes = await call(sender, "ask all", { from: "socket", to: ["room"], timeout: 5000 }, "vote", []);
      assert.deepEqual(votes, [{ error: false, answers: [bytes(1), bytes(1)] }]);
    });

    test(`${over}: a client joins several namespaces, and is told why not [parse.msgpack]`, async (t) => {
      const target = await packing();
      const socket = await packed(t, target, { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      assert.deepEqual(await call(other, "echo", "in /other"), ["in /other"]);
      const refusals = [
        ["/guarded", { token: "wrong" }, "not authorized", { reason: "bad token" }],
        ["/guarded", { token: "wrong", plain: true }, "go away", undefined],
        ["/nowhere", undefined, "Invalid namespace", undefined],
      ];
      for (const [namespace, auth, message, data] of refusals) {
        const refused = client(t, target, { way, namespace, auth, parser: msgpack });
        const [error] = await event(refused, "connect_error");
        assert.equal(error.message, message);
        assert.deepEqual(error.data, data);
      }
      const guarded = client(t, target, { way, namespace: "/guarded", auth: { token: "secret" }, parser: msgpack });
      assert.deepEqual(await event(guarded, "welcome"), [["first", "second"]]);
      assert.deepEqual(await call(guarded, "auth"), [{ token: "secret" }]);
    });

    test(`${over}: a socket leaves, or is made to, and its connection stays [parse.msgpack]`, async (t) => {
      const target = await packing();
      const bystander = await packed(t, target);
      const socket = await packed(t, target, { way });
      const other = socket.io.socket("/other");
      await event(other, "connect");
      const { id } = socket;
      const gone = event(socket, "disconnect");
      socket.emit("leave me", false);
      assert.equal((await gone)[0], "io server disconnect");
      assert.deepEqual(await call(bystander, "left", id), [["server namespace disconnect"]]);
      assert.deepEqual(await call(other, "echo", "still here"), ["still here"]);
      const left = call(bystander, "left", other.id);
      other.disconnect();
      assert.deepEqual(await left, [["client namespace disconnect"]]);
    });

    test(`${over}: a client that was cut off gets the bytes it has missed [parse.msgpack rec.missed]`, async (t) => {
      const target = await packing({ connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
      const sender = await packed(t, target);
      const socket = client(t, target, { way, parser: msgpack });
      const news = collect(socket, "news");
      await event(socket, "connect");
      const { id } = socket;
      const tell = (...values) => call(sender, "send", { from: "namespace" }, "news", [...values, { data: bytes(1, 2) }]);
      await tell("first");
      assert.deepEqual((await news.take()).slice(0, 2), ["first", { data: bytes(1, 2) }]);
      socket.io.engine.close();
      await call(sender, "left", id);
      await tell("second");
      const here = event(socket, "connect");
      socket.connect();
      await here;
      assert.deepEqual([socket.recovered, socket.id], [true, id]);
      assert.deepEqual((await news.take()).slice(0, 2), ["second", { data: bytes(1, 2) }]);
    });

    test(`${over}: events keep their order, with bytes and without [parse.msgpack]`, async (t) => {
      const socket = await packed(t, await packing(), { way });
      const events = collect(socket, "echo");
      for (let i = 0; i < 500; i += 1) socket.emit("echo", i % 3 === 0 ? bytes(i % 256, 1) : i);
      for (let i = 0; i < 500; i += 1) assert.deepEqual(await events.take(), [i % 3 === 0 ? bytes(i % 256, 1) : i]);
    });
  });
}

/** The bytes of a packet, or of any value. */
const encode = (packet) => msgpack.Encoder.prototype.encode(packet)[0];
const WELL = encode({ type: 2, data: ["echo", 1], nsp: "/" });

/** A packet whose data is given as bytes. */
function withData(type, ...data) {
  const head = Buffer.concat([bytes(0x83), Buffer.from("\xa4type", "latin1"), bytes(type), Buffer.from("\xa4data", "latin1")]);
  return Buffer.concat([head, ...data, Buffer.from("\xa3nsp\xa1/", "latin1")]);
}

function decode(message) {
  let packet;
  const decoder = new msgpack.Decoder();
  decoder.on("decoded", (decoded) => (packet = decoded));
  decoder.add(message);
  return packet;
}

/** A session that has joined the main namespace by hand, and the socket's id. */
async function join(Carrier, target) {
  const session = await Carrier.open(target, SOCKET);
  await session.send(encode({ type: 0, nsp: "/" }));
  return { session, id: decode(await session.next()).data.sid };
}

// The reference says the one over WebSocket and the other over polling: see DIFFERENCES.md.
const FORCED = /^forced (server )?close$/;

for (const Carrier of carriers) {
  const over = `MessagePack over ${Carrier.transport}`;

  /** The server closes the session after these packets, and sends nothing because of them. */
  async function closes(t, ...packets) {
    const target = await packing();
    const bystander = await packed(t, target);
    const { session, id } = await join(Carrier, target);
    const left = call(bystander, "left", id);
    // The answer of the POST is no matter: the session may be gone before it is written.
    await session.send(...packets).catch(() => {});
    const last = await session.ended();
    // A poll that is ended by the close is ended by a noop.
    assert.deepEqual(last.filter((packet) => packet !== "6"), []);
    const [[reason, ...more]] = await left;
    assert.match(reason, FORCED);
    assert.deepEqual(more, []);
  }

  group("Parsers", () => {
    test(`${over}: packets are these bytes [parse.msgpack]`, async () => {
      const { session, id } = await join(Carrier, await packing());
      await session.send(WELL);
      assert.deepEqual(await session.next(), WELL);
      await session.send(encode({ type: 2, data: ["echo", { a: bytes(1) }], id: 7, nsp: "/" }));
      const { type, data, id: ack, nsp } = decode(await session.next());
      assert.deepEqual({ type, data, ack, nsp }, { type: 3, data: [{ a: bytes(1) }], ack: 7, nsp: "/" });
      await session.send(encode({ type: 0, data: { token: "wrong" }, nsp: "/guarded" }));
      const data4 = { message: "not authorized", data: { reason: "bad token" } };
      assert.deepEqual(await session.next(), encode({ type: 4, data: data4, nsp: "/guarded" }));
      await session.send(encode({ type: 2, data: ["leave me", false], nsp: "/" }));
      assert.deepEqual(await session.next(), encode({ type: 1, nsp: "/" }));
      assert.match(id, /^[A-Za-z0-9_-]{20}$/);
      await session.leave();
    });

    const broken = {
      "nothing at all": bytes(),
      "text": '42["echo"]',
      "a value that is no map": encode([2, ["echo"], "/"]),
      "a packet that ends early": WELL.subarray(0, -1),
      "a packet with more behind it": Buffer.concat([WELL, bytes(0xc0)]),
      "a byte that means nothing": withData(2, bytes(0x92), encode("echo"), bytes(0xc1)),
      "a type that there is not": encode({ type: 5, data: ["echo"], nsp: "/" }),
      "a type that is no number": encode({ type: "2", data: ["echo"], nsp: "/" }),
      "no namespace": encode({ type: 2, data: ["echo"] }),
      "a namespace that is no text": encode({ type: 2, data: ["echo"], nsp: 1 }),
      "an event without data": encode({ type: 2, nsp: "/" }),
      "an event whose data is no list": encode({ type: 2, data: { echo: 1 }, nsp: "/" }),
      "an answer whose data is no list": encode({ type: 3, data: "echo", id: 0, nsp: "/" }),
      "an ack id that is no number": encode({ type: 2, data: ["echo"], id: "1", nsp: "/" }),
      "a disconnect with data": encode({ type: 1, data: {}, nsp: "/" }),
      "a connect with a list": encode({ type: 0, data: [], nsp: "/other" }),
      "a second connect": encode({ type: 0, nsp: "/" }),
      "a connect error": encode({ type: 4, data: { message: "no" }, nsp: "/" }),
      "an event for a namespace that was not joined": encode({ type: 2, data: ["echo"], nsp: "/other" }),
      "a list of 4294967295 items": withData(2, bytes(0x92), encode("echo"), bytes(0xdd, 255, 255, 255, 255)),
      "a map of 4294967295 members": withData(2, bytes(0x92), encode("echo"), bytes(0xdf, 255, 255, 255, 255)),
      "a text of 4294967295 bytes": withData(2, bytes(0x92), encode("echo"), bytes(0xdb, 255, 255, 255, 255)),
    };
    for (const [what, packet] of Object.entries(broken)) {
      test(`${over}: ${what} ends the session [parse.msgpack parse.malformed]`, (t) => closes(t, packet));
    }

    const bounded = {
      "an event with a reserved name": encode({ type: 2, data: ["disconnect"], nsp: "/" }),
      "an event without a name": encode({ type: 2, data: [], nsp: "/" }),
      "more binary values than allowed": encode({ type: 2, data: ["x", ...Array(11).fill(bytes(1))], nsp: "/" }),
      "a list that is nested 200 times": withData(2, bytes(0x92), encode("x"), Buffer.alloc(200, 0x91), bytes(0xc0)),
      "an ack id above 2^53": encode({ type: 2, data: ["x"], id: 2 ** 60, nsp: "/" }),
      "a namespace without a slash": encode({ type: 0, nsp: "chat" }),
      "text that is not UTF-8": withData(2, bytes(0x92), encode("x"), bytes(0xa1, 0xff)),
      "a key that is neither text nor an integer": withData(2, bytes(0x92), encode("x"), bytes(0x81, 0xc0, 1)),
    };
    for (const [what, packet] of Object.entries(bounded)) {
      const ends = differs({ reference: "is let through", ours: "ends the session" });
      test(`${over}: ${what} ${ends} [parse.msgpack]`, async (t) => {
        if (ends === "ends the session") return closes(t, packet);
        const { session } = await join(Carrier, await packing());
        await session.send(packet, WELL);
        // A namespace that is not there is refused besides.
        let answer = await session.next();
        if (decode(answer).type === 4) answer = await session.next();
        assert.deepEqual(answer, WELL);
        await session.leave();
      });
    }

    const ends = differs({ reference: "ends the process", ours: "ends the session" });
    test(`${over}: an event whose name is an object ${ends} [parse.msgpack]`, async (t) => {
      const packet = encode({ type: 2, data: [{ toString: "x" }], nsp: "/" });
      if (ends === "ends the session") return closes(t, packet);
      const target = await ownServer(t, PARSER);
      const { session } = await join(Carrier, target);
      await session.send(packet).catch(() => {});
      await within(target.gone, "the server to end");
    });
  });
}
