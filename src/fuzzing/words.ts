import { writeFileSync } from "node:fs";

/** Bytes of a word, at most: `HINT_BYTES` in `bridges/hints.h`. */
const LONGEST = 32;

/** Writes words as `guide_add_words` in `bridges/guide.h` reads them: each has its length before it, a byte. */
export function writeWords(file: string, words: readonly Uint8Array[]): void {
  const short = words.filter(({ length }) => length <= LONGEST);
  writeFileSync(file, Buffer.concat(short.flatMap((word) => [Uint8Array.of(word.length), word])));
}
