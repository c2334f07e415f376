// How packets of long-polling are put into bodies and taken out of them, in either version of the protocol.

const SEPARATOR = "\x1e";

// `base64` is how a binary message begins in a body, and `frameType` how it begins in a frame, in hexadecimal digits.

/** Protocol 4: packets and separators. */
export const v4 = {
  query: "EIO=4",
  join: (packets) => packets.join(SEPARATOR),
  split: ({ body }) => body.split(SEPARATOR),
  base64: "b",
  frameType: "",
};

/** Protocol 3: each packet behind its length, in characters of JavaScript; or in bytes, if there is binary data. */
export const v3 = {
  query: "EIO=3",
  join: (packets) => packets.map((packet) => `${packet.length}:${packet}`).join(""),
  split: ({ headers, body, bytes }) => (headers["content-type"] === "application/octet-stream" ? splitBytes(bytes) : splitText(body)),
  base64: "b4",
  frameType: "04",
};

function splitText(body) {
  const packets = [];
  for (let rest = body; rest !== ""; ) {
    const [prefix, length] = /^(\d+):/.exec(rest) ?? ["", rest.length];
    const end = prefix.length + Number(length);
    packets.push(rest.slice(prefix.length, end));
    rest = rest.slice(end);
  }
  return packets;
}

/** Binary packets become what they are in text: `b` and base64, behind their type. */
function splitBytes(body) {
  const packets = [];
  for (let rest = body; rest.length > 0; ) {
    const mark = rest.indexOf(0xff);
    const length = Number([...rest.subarray(1, mark)].join(""));
    const data = rest.subarray(mark + 1, mark + 1 + length);
    packets.push(rest[0] === 0 ? data.toString() : `b${data[0]}${data.subarray(1).toString("base64")}`);
    rest = rest.subarray(mark + 1 + length);
  }
  return packets;
}
