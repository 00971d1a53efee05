/**
 * Decodes what comes on standard input, each with its length (u32, little endian) before it. The reply
 * is a byte: 1 for an image, 0 for what is none. Any other error ends the process.
 */
import { decode, FormatError } from "./decode.mjs";

function isImage(bytes) {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

let received = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  received = Buffer.concat([received, chunk]);
  while (received.length >= 4 && received.length >= 4 + received.readUInt32LE(0)) {
    const end = 4 + received.readUInt32LE(0);
    process.stdout.write(Buffer.of(isImage(received.subarray(4, end)) ? 1 : 0));
    received = received.subarray(end);
  }
});
