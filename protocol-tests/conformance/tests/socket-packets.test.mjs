// Socket.IO packet by packet, over polling and WebSocket: what a packet must look like, and what a wrong one causes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connected, call } from "../lib/client.mjs";
import { group, timed } from "../lib/groups.mjs";
import { PacketClient, reconstruct } from "../lib/packets.mjs";
import { carriers, SOCKET } from "../lib/sessions.mjs";
import { server } from "../lib/target.mjs";
import { assertPassed, pause } from "../lib/wait.mjs";

/** The server closes the session after these packets, sends nothing because of them, and names the reason. */
async function closes(t, Carrier, packets, { namespace, reason = /^forced close$/ } = {}) {
  const target = await server();
  const bystander = await connected(t, target);
  const client = await PacketClient.join(Carrier, target, namespace);
  const left = call(bystander, "left", client.id);
  // The answer of the POST is no matter: the session may be gone before it is written.
  await client.send(...packets).catch(() => {});
  assert.deepEqual(await client.ended(), []);
  const [[got, ...more]] = await left;
  assert.match(got, reason);
  assert.deepEqual(more, []);
}

// The reference says the one over WebSocket and the other over polling: see DIFFERENCES.md.
const FORCED = /^forced (server )?close$/;

for (const Carrier of carriers) {
  const over = `over ${Carrier.transport}`;

  group("Parsers", () => {
    test(`${over}: CONNECT is answered with the socket's id and nothing else [parse.types]`, async () => {
      const client = await PacketClient.open(Carrier, await server());
      await client.send("0");
      assert.match(await client.next(), /^0\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
      await client.leave();
    });

    test(`${over}: the socket's id is not the session's`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      assert.notEqual(client.id, client.session.sid);
      await client.leave();
    });

    test(`${over}: packets of a namespace carry its name and a comma`, async () => {
      const client = await PacketClient.open(Carrier, await server());
      await client.send("0/other,");
      assert.match(await client.next(), /^0\/other,\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
      await client.send('2/other,["echo",1]', '2/other,12["echo",2]');
      assert.equal(await client.next(), '2/other,["echo",1]');
      assert.equal(await client.next(), "3/other,12[2]");
      await client.leave();
    });

    test(`${over}: a namespace without a comma ends with the packet`, async () => {
      const client = await PacketClient.open(Carrier, await server());
      await client.send("0/other");
      assert.match(await client.next(), /^0\/other,\{"sid":/);
      await client.leave();
    });

    test(`${over}: an acknowledgement carries the id it was asked for [parse.types]`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      for (const id of ["0", "1", "456", "4503599627370496", "9007199254740991"]) {
        await client.send(`2${id}["echo",1,"2",{"3":[4]}]`);
        assert.equal(await client.next(), `3${id}[1,"2",{"3":[4]}]`);
      }
      await client.leave();
    });

    test(`${over}: an event without an id is not acknowledged`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('2["echo","a"]', '2["echo"]');
      assert.equal(await client.next(), '2["echo","a"]');
      assert.equal(await client.next(), '2["echo"]');
      await client.leave();
    });

    test(`${over}: an event nobody listens to does no harm`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('2["no such event",1]', '27["no such event",1]', '2[""]', '2["error"]', '2["__proto__"]', '2["toString"]');
      await client.echoes();
      await client.leave();
    });

    test(`${over}: an event may be named by an integer [parse.integer]`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send("2[123]", '2[-5,"x"]');
      await client.echoes();
      await client.leave();
    });

    test(`${over}: blanks within the JSON and escapes in the event's name are read`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('21[ "ech\\u006f" , 1 ]');
      const answer = await client.next();
      assert.equal(answer.slice(0, 2), "31");
      assert.deepEqual(JSON.parse(answer.slice(2)), [1]);
      await client.leave();
    });

    test(`${over}: null, numbers, nested values and prototype names come back as they were [parse.prototypes ev.tampering]`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      const text = '[null,true,-1.5,1e21,"é€😀\\n",[[]],{"a":{"b":null}},{"constructor":1,"toString":{"x":2}}]';
      await client.send(`21["echo",${text.slice(1)}`);
      const answer = await client.next();
      assert.equal(answer.slice(0, 2), "31");
      assert.deepEqual(JSON.parse(answer.slice(2)), JSON.parse(text));
      await client.leave();
    });

    test(`${over}: an attachment is put where its placeholder stands, and travels back in the same way`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('51-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3]));
      assert.equal(await client.next(), '51-["echo",{"_placeholder":true,"num":0}]');
      assert.deepEqual([...(await client.next())], [1, 2, 3]);
      await client.leave();
    });

    test(`${over}: an acknowledgement with attachments is a packet of type 6 [parse.types]`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('52-9["echo",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]', Buffer.from([1]), Buffer.from([2]));
      const answer = await client.next();
      assert.equal(answer.slice(0, 4), "62-9");
      const attachments = [await client.next(), await client.next()];
      assert.deepEqual(reconstruct(answer.slice(4), attachments), [{ a: [2] }, [1]]);
      await client.leave();
    });

    test(`${over}: attachments work in a namespace`, async () => {
      const client = await PacketClient.open(Carrier, await server());
      await client.connect("/other");
      await client.send('51-/other,3["echo",{"_placeholder":true,"num":0}]', Buffer.from([7]));
      assert.equal(await client.next(), '61-/other,3[{"_placeholder":true,"num":0}]');
      assert.deepEqual([...(await client.next())], [7]);
      await client.leave();
    });

    test(`${over}: ten attachments are accepted`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      const places = Array.from({ length: 10 }, (_, num) => ({ _placeholder: true, num }));
      await client.send(`510-1${JSON.stringify(["echo", ...places])}`, ...places.map(({ num }) => Buffer.from([num])));
      assert.equal(await client.next(), `610-1${JSON.stringify(places)}`);
      for (const { num } of places) assert.deepEqual([...(await client.next())], [num]);
      await client.leave();
    });

    test(`${over}: eleven attachments are one too many [parse.limit]`, async (t) => {
      await closes(t, Carrier, ['511-["echo"]']);
    });

    for (const [what, packet] of [
      ["an unknown type", "7"],
      ["a type that is no digit", "abc"],
      ["JSON that does not parse", '2["echo"'],
      ["an event that is an object", '2{"0":"echo"}'],
      ["an event that is a string", '2"echo"'],
      ["an event without a name", "2[]"],
      ["an event whose name is null", "2[null]"],
      ["an event whose name is an object", '2[{"toString":"foo"}]'],
      ["an event whose name is an array", '2[["echo"]]'],
      ["an event whose name is a boolean", "2[true]"],
      ["an acknowledgement that is an object", "31{}"],
      ["a CONNECT whose auth is an array", "0/other,[]"],
      ["a CONNECT whose auth is a string", '0/other,"x"'],
      ["a CONNECT whose auth does not parse", "0/other,{"],
      ["a DISCONNECT with a payload", "1{}"],
      ["attachments without a count", '5-["echo",{"_placeholder":true,"num":0}]'],
      ["attachments without a dash", '51["echo",{"_placeholder":true,"num":0}]'],
      ["a negative count of attachments", '5-1-["echo"]'],
      ["a count of attachments that is a fraction", '51.5-["echo"]'],
      ["a huge count of attachments", '599999999999999999999-["echo"]'],
      ["an empty packet", ""],
    ]) {
      test(`${over}: ${what} closes the session [parse.malformed]`, (t) => closes(t, Carrier, [packet]));
    }

    for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
      test(`${over}: an event called ${name} closes the session`, (t) => closes(t, Carrier, [`2["${name}"]`]));
    }

    for (const [what, num] of [
      ["a string", '"0"'],
      ["a string that names a method", '"splice"'],
      ["negative", "-1"],
      ["one past the end", "1"],
      ["absent", "null"],
    ]) {
      test(`${over}: a placeholder whose num is ${what} closes the session [parse.num]`, async (t) => {
        await closes(t, Carrier, [`51-["echo",{"_placeholder":true,"num":${num}}]`, Buffer.from([1])]);
      });
    }

    test(`${over}: bytes that no packet has announced close the session`, (t) => closes(t, Carrier, [Buffer.from([1])]));

    test(`${over}: text in the middle of the attachments closes the session`, async (t) => {
      await closes(t, Carrier, ['52-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1]), '2["echo"]']);
    });

    test(`${over}: an attachment that never comes blocks nobody else`, async (t) => {
      const target = await server();
      const client = await PacketClient.join(Carrier, target);
      await client.send('52-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1]));
      const bystander = await connected(t, target);
      assert.deepEqual(await call(bystander, "echo", "still here"), ["still here"]);
      await client.leave();
    });

    test(`${over}: acknowledgements of the client that nobody awaits do no harm`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send("30[]", "31[1]", '3999["x"]', "39007199254740991[]", "3[]");
      await client.echoes();
      await client.leave();
    });

    test(`${over}: an acknowledgement is taken once`, async () => {
      const client = await PacketClient.join(Carrier, await server());
      await client.send('21["ask","question",[6,7],5000]');
      const question = await client.next();
      const [, id] = question.match(/^2(\d+)\["question",6,7\]$/);
      await client.send(`3${id}[42]`, `3${id}[43]`);
      assert.equal(await client.next(), '31[{"answer":[42]}]');
      await client.echoes();
      await client.leave();
    });
  });

  group("Protocol violations", () => {
    test(`${over}: an EVENT before any CONNECT closes the session [violation.no-connect]`, async () => {
      const client = await PacketClient.open(Carrier, await server());
      await client.send('2["echo"]').catch(() => {});
      assert.deepEqual(await client.ended(), []);
    });

    test(`${over}: an EVENT for a namespace that was not joined closes the session`, async (t) => {
      await closes(t, Carrier, ['2/other,["echo"]'], { reason: FORCED });
    });

    test(`${over}: an ACK or a DISCONNECT before any CONNECT closes the session`, async () => {
      for (const packet of ["31[]", "1", "1/other"]) {
        const client = await PacketClient.open(Carrier, await server());
        await client.send(packet).catch(() => {});
        assert.deepEqual(await client.ended(), []);
      }
    });

    test(`${over}: a second CONNECT to the same namespace closes the session [violation.second-connect]`, async (t) => {
      await closes(t, Carrier, ["0"], { reason: FORCED });
    });

    test(`${over}: a CONNECT_ERROR from the client closes the session [ev.error-event]`, async (t) => {
      await closes(t, Carrier, ['4{"message":"no"}'], { reason: FORCED });
    });

    test(`${over}: a violation in one namespace ends the sockets of all`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const client = await PacketClient.join(Carrier, target);
      const other = await client.connect("/other");
      await client.send("0").catch(() => {});
      await client.ended();
      for (const id of [client.id, other]) {
        const [[reason, ...more]] = await call(bystander, "left", id);
        assert.match(reason, FORCED);
        assert.deepEqual(more, []);
      }
    });

    test(`${over}: an undecodable packet ends the session, not the server [violation.undecodable]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      for (const packet of ["2[", "2[[[[[[", "\u0000", "4", "9/,[]", '2/other,["echo"', "0{", "3"]) {
        const client = await PacketClient.join(Carrier, target);
        await client.send(packet, "7").catch(() => {});
        await client.ended();
      }
      assert.deepEqual(await call(bystander, "echo", "still here"), ["still here"]);
    });

    test(`${over}: an event after DISCONNECT is not handled, and the session is closed [ev.after-leave]`, async (t) => {
      const target = await server();
      const bystander = await connected(t, target);
      const client = await PacketClient.join(Carrier, target);
      await client.send("1");
      assert.deepEqual(await call(bystander, "left", client.id), [["client namespace disconnect"]]);
      await client.send('21["echo",1]').catch(() => {});
      assert.deepEqual(await client.ended(), []);
    });

    timed(`${over}: a session that joins no namespace is closed after connectTimeout`, async () => {
      const target = await server({ connectTimeout: 300 });
      const start = performance.now();
      const client = await PacketClient.open(Carrier, target);
      assert.deepEqual(await client.ended(), []);
      assertPassed(start, 300);
    });

    timed(`${over}: connectTimeout does not touch a session that has joined`, async () => {
      const client = await PacketClient.join(Carrier, await server({ connectTimeout: 300 }));
      await pause(400);
      await client.echoes();
      await client.leave();
    });

    test(`${over}: a session that only tried an unknown namespace is closed after connectTimeout [nsp.idle]`, async () => {
      const client = await PacketClient.open(Carrier, await server({ connectTimeout: 300 }));
      await client.send("0/nowhere,");
      assert.equal(await client.next(), '4/nowhere,{"message":"Invalid namespace"}');
      assert.deepEqual(await client.ended(), []);
    });
  });
}
