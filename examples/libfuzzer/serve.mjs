/**
 * Decodes messages from standard input, each with its length (u32, little endian) before it. The reply
 * is a byte: 1 for an image, 0 for no image, 2 for any other error, which is printed.
 */
import { decode, FormatError } from "./decode.mjs";

const REPLY = { none: 0, image: 1, error: 2 };

function reply(bytes) {
  try {
    decode(bytes);
    return REPLY.image;
  } catch (error) {
    if (error instanceof FormatError) return REPLY.none;
    process.stderr.write(`${error.stack}\n`);
    return REPLY.error;
  }
}

let received = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  received = Buffer.concat([received, chunk]);
  while (received.length >= 4 && received.length >= 4 + received.readUInt32LE(0)) {
    const end = 4 + received.readUInt32LE(0);
    process.stdout.write(Buffer.of(reply(received.subarray(4, end))));
    received = received.subarray(end);
  }
});
