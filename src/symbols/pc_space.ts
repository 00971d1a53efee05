/**
 * The place of blocks among PCs. A PC is a 64-bit kernel address whose upper half is 0xffffffff. Only the
 * lower half is handled here: 0x80000000 + 8 × the block's number.
 *
 * The range and the distance are syzkaller's: it throws away a call's whole signal when one PC is
 * outside the kernel's text (0xffffffff80000000 to 0xffffffffff000000), and its filter drops the low
 * three bits. Other clients keep only the lower 32 bits.
 */
import { createHash } from "node:crypto";
import type { Named } from "../base/named.ts";

/** A block's number among those of all scripts. Within its script a block has a plain index, from 0 on. */
export type BlockNumber = Named<"BlockNumber">;
/** The lower half of a PC, unsigned. */
export type PcLow = Named<"PcLow">;

export function blockNumber(value: number): BlockNumber {
  return value as BlockNumber;
}

/** The lower half of the first PC. */
export const FIRST_PC = 0x80000000;
/** The number of blocks that have room: up to 0xfeffffff. */
export const BLOCKS = (0xff000000 - FIRST_PC) / 8;

/** The bytes of a map with a byte for each number that a block can have, in whole pages. */
export const BLOCK_BYTES = 0x10000000;

/** The lower half of a block's PC. */
export function pcOfBlock(block: BlockNumber): PcLow {
  return (FIRST_PC + block * 8) as PcLow;
}

/** The number of the block at a PC; undefined where there can be none. */
export function blockOfPc(pc: bigint): BlockNumber | undefined {
  if (pc >> 32n !== 0xffffffffn && pc >> 32n !== 0n) return undefined;
  const block = blockOfPcLow(Number(pc & 0xffffffffn));
  return Number.isInteger(block) && block >= 0 && block < BLOCKS ? block : undefined;
}

/** The same by the lower half of a PC that kcovfs itself has given out. */
export function blockOfPcLow(pc: number): BlockNumber {
  return blockNumber((pc - FIRST_PC) / 8);
}

/** A PC as it is printed: `0xffffffff80000000`. */
export function formatPc(block: BlockNumber): string {
  return `0xffffffff${pcOfBlock(block).toString(16)}`;
}

/** A stretch of blocks, `count` of them from `base` on. */
export interface Segment {
  readonly base: BlockNumber;
  readonly count: number;
}

/** The number of a script's block by its index. */
export function blockAt({ base }: Pick<Segment, "base">, index: number): BlockNumber {
  return (base + index) as BlockNumber;
}

/** The base that a script should get: it depends on nothing but the script. */
export function preferredBase(script: { url: string; hash: string; count: number }): BlockNumber {
  const digest = createHash("sha256").update(`${script.hash} ${script.url}`).digest();
  return blockNumber(digest.readUInt32LE(0) % (BLOCKS - script.count));
}

/**
 * The place nearest after `preferred` where `count` blocks are free. The search goes around at the end;
 * undefined when there is no such place.
 *
 * @param taken Segments by ascending base, which do not overlap.
 */
export function findFree(
  taken: readonly Segment[],
  { preferred, count }: { preferred: BlockNumber; count: number },
): BlockNumber | undefined {
  return nextFree(taken, { from: preferred, count }) ??
    nextFree(taken, { from: blockNumber(0), count });
}

function nextFree(
  taken: readonly Segment[],
  wanted: { from: BlockNumber; count: number },
): BlockNumber | undefined {
  let { from } = wanted;
  for (let i = firstEndingAfter(taken, from); i < taken.length; i++) {
    if (from + wanted.count <= taken[i].base) break;
    from = blockAt(taken[i], taken[i].count);
  }
  return from + wanted.count <= BLOCKS ? from : undefined;
}

/** The first segment that ends after a block: it contains the block or lies beyond it. */
export function firstEndingAfter(segments: readonly Segment[], block: BlockNumber): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].base + segments[middle].count > block) high = middle;
    else low = middle + 1;
  }
  return low;
}
