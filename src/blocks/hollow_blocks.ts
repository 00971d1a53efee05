import type { BlockTable } from "./block_table.ts";

/** Code without effect: V8 makes a block of it after an `await` in parentheses, and compilers leave it out. */
const BLANKS = /[\s);]+|\/\/[^\n\r\u2028\u2029]*/y;

/**
 * By block: if it holds nothing but blanks, comments and closing parentheses, the block around it in its
 * function; else -1.
 */
export function blocksAroundHollow(table: BlockTable, source: string): Int32Array {
  const { firstBlock, blockStart, blockEnd } = table;
  const around = new Int32Array(blockStart.length).fill(-1);
  const open: number[] = [];
  for (let row = 0; row + 1 < firstBlock.length; row++) {
    open.length = 0;
    for (let block = firstBlock[row]; block < firstBlock[row + 1]; block++) {
      const start = blockStart[block];
      while (open.length > 0 && blockEnd[open.at(-1)!] <= start) open.pop();
      const outer = open.at(-1);
      if (outer !== undefined && isHollow(source, start, blockEnd[block])) around[block] = outer;
      open.push(block);
    }
  }
  return around;
}

/** Gives hollow blocks the places of those around them. */
export function placeHollow(positions: Uint32Array, around: Int32Array): void {
  for (const [block, outer] of around.entries()) {
    if (outer >= 0) positions.copyWithin(4 * block, 4 * outer, 4 * outer + 4);
  }
}

function isHollow(source: string, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    BLANKS.lastIndex = at;
    if (BLANKS.test(source)) at = BLANKS.lastIndex;
    else if (source.startsWith("/*", at)) {
      const close = source.indexOf("*/", at + 2);
      at = close < 0 ? end : close + 2;
    } else return false;
  }
  return true;
}
