import type { BlockTable } from "./block_table.ts";

/** The numbers of blocks, sorted by start; at one start the outer block comes first. */
function blocksByStart({ blockStart }: BlockTable): Uint32Array {
  const order = Uint32Array.from(blockStart, (_, block) => block);
  // Rows are sorted by start, the outer first, and the numbers of blocks by row.
  return order.sort((a, b) => blockStart[a] - blockStart[b] || a - b);
}

/**
 * The innermost block at each of some offsets; -1 where there is none. A block of a function is further in
 * than the block that the function stands in.
 *
 * @param offsets Ascending.
 */
export function innermostBlocks(table: BlockTable, offsets: ArrayLike<number>): Int32Array {
  const { blockStart, blockEnd } = table;
  const order = blocksByStart(table);
  const found = new Int32Array(offsets.length);
  const around: number[] = [];
  let next = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i];
    for (; next < order.length && blockStart[order[next]] <= offset; next++) {
      const start = blockStart[order[next]];
      while (around.length > 0 && blockEnd[around.at(-1)!] <= start) around.pop();
      around.push(order[next]);
    }
    while (around.length > 0 && blockEnd[around.at(-1)!] <= offset) around.pop();
    found[i] = around.at(-1) ?? -1;
  }
  return found;
}

/** The row of the function that a block belongs to. */
export function rowOfBlock({ firstBlock }: BlockTable, block: number): number {
  let row = 0;
  let high = firstBlock.length - 1;
  while (high - row > 1) {
    const middle = (row + high) >> 1;
    if (firstBlock[middle] <= block) row = middle;
    else high = middle;
  }
  return row;
}
