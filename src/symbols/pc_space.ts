/**
 * The place of blocks among PCs. A PC is a 64-bit kernel address whose upper half is 0xffffffff. Only the
 * lower half is handled here: 0x80000000 + 8 × the block's number.
 *
 * The range and the distance are syzkaller's: it throws away a call's whole signal when one PC is
 * outside the kernel's text (0xffffffff80000000 to 0xffffffffff000000), and its filter drops the low
 * three bits. Other clients keep only the lower 32 bits.
 */
import { createHash } from "node:crypto";

/** The lower half of the first PC. */
export const FIRST_PC = 0x80000000;
/** The number of blocks that have room: up to 0xfeffffff. */
export const BLOCKS = (0xff000000 - FIRST_PC) / 8;

/** The bytes of a map with a byte for each number that a block can have, in whole pages. */
export const BLOCK_BYTES = 0x10000000;

/** The lower half of a block's PC. */
export function pcOfBlock(block: number): number {
  return FIRST_PC + block * 8;
}

/** The number of the block at a PC; -1 where there can be none. */
export function blockOfPc(pc: bigint): number {
  const low = Number(pc & 0xffffffffn);
  if (pc >> 32n !== 0xffffffffn && pc >> 32n !== 0n) return -1;
  const block = (low - FIRST_PC) / 8;
  return Number.isInteger(block) && block >= 0 && block < BLOCKS ? block : -1;
}

/** A PC as it is printed: `0xffffffff80000000`. */
export function formatPc(block: number): string {
  return `0xffffffff${pcOfBlock(block).toString(16)}`;
}

/** A stretch of blocks, `count` of them from `base` on. */
export interface Segment {
  readonly base: number;
  readonly count: number;
}

/** The base that a script should get: it depends on nothing but the script. */
export function preferredBase(script: { url: string; hash: string; count: number }): number {
  const digest = createHash("sha256").update(`${script.hash} ${script.url}`).digest();
  return digest.readUInt32LE(0) % (BLOCKS - script.count);
}

/**
 * The place nearest after `preferred` where `count` blocks are free. The search goes around at the end; -1
 * when there is no such place.
 *
 * @param taken Segments by ascending base, which do not overlap.
 */
export function findFree(
  taken: readonly Segment[],
  wanted: { preferred: number; count: number },
): number {
  const { preferred, count } = wanted;
  const place = nextFree(taken, { from: preferred, count });
  return place >= 0 ? place : nextFree(taken, { from: 0, count });
}

function nextFree(taken: readonly Segment[], wanted: { from: number; count: number }): number {
  let { from } = wanted;
  for (let i = firstEndingAfter(taken, from); i < taken.length; i++) {
    if (from + wanted.count <= taken[i].base) break;
    from = taken[i].base + taken[i].count;
  }
  return from + wanted.count <= BLOCKS ? from : -1;
}

/** The first segment that ends after a block: it contains the block or lies beyond it. */
export function firstEndingAfter(segments: readonly Segment[], block: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].base + segments[middle].count > block) high = middle;
    else low = middle + 1;
  }
  return low;
}
