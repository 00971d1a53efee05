/**
 * One bit a block, the first in the lowest bit, in Base64.
 *
 * @param marks A byte a block.
 * @param least The least mark of blocks whose bit is set.
 */
export function packBits(marks: Uint8Array, least: number): string {
  const bytes = new Uint8Array((marks.length + 7) >> 3);
  for (let i = 0; i < marks.length; i++) if (marks[i] >= least) bytes[i >> 3] |= 1 << (i & 7);
  return Buffer.from(bytes).toString("base64");
}

/** Reads the result of {@linkcode packBits}; bits beyond its end are not set. */
export function unpackBits(text: string): (block: number) => boolean {
  const bytes = Buffer.from(text, "base64");
  return (block) => ((bytes[block >> 3] ?? 0) >> (block & 7) & 1) === 1;
}
