const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/** Limits of a text's structure. */
interface Bounds {
  /** Arrays and objects within each other. */
  readonly depth: number;
  /** Commas, brackets and braces outside of strings. */
  readonly marks: number;
}

/**
 * Parses JSON of somebody who is not trusted, and most of whose text is in strings. It reads any text that V8
 * reads quickly, and refuses a text that is made to take long: 20 MB of `[` take `JSON.parse` 12 s.
 *
 * @throws {SyntaxError} when it is no JSON, or exceeds the bounds.
 */
export function parseFlatJson(bytes: Uint8Array, bounds: Bounds): unknown {
  checkStructure(bytes, bounds);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString();
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text, which has no place in a log.
    throw new SyntaxError("Cannot read JSON");
  }
}

function checkStructure(bytes: Uint8Array, bounds: Bounds): void {
  let depth = 0;
  let marks = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    // `[` and `{` differ only in this bit, and so do `]` and `}`.
    const bracket = byte | 0x20;
    if (byte === QUOTE) at = stringEnd(bytes, at);
    if (bracket === OPENING) depth++;
    if (bracket === CLOSING) depth--;
    if (bracket === OPENING || byte === COMMA) marks++;
    if (depth > bounds.depth || marks > bounds.marks) {
      throw new SyntaxError("Cannot read JSON: it has more parts than it may");
    }
  }
}

/** The offset of the quote that ends the string which begins at `start`; the end of the text without one. */
function stringEnd(bytes: Uint8Array, start: number): number {
  for (let at = start;;) {
    at = bytes.indexOf(QUOTE, at + 1);
    if (at < 0) return bytes.length;
    let backslashes = 0;
    while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}
