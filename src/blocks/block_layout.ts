/** Packs the functions and slots of a source into a table. */

import type { BlockTable } from "./block_table.ts";
import type { FunctionRange } from "./range_walk.ts";
import type { SlotMap } from "./slot_map.ts";
import type { FunctionAlias } from "./range_walk.ts";

/** The result of a walk over a source; slots and aliases name functions by their index here. */
export interface Found {
  readonly slots: SlotMap;
  readonly functions: readonly FunctionRange[];
  readonly aliases: readonly FunctionAlias[];
}

/** Sorts functions, gives each its blocks, and ends the continuations as V8 does. */
export function layOut({ slots, functions, aliases }: Found): BlockTable {
  const order = sortFunctions(functions);
  const rowOf = invert(order);
  const functionStart = Uint32Array.from(order, (number) => functions[number].start);
  const functionEnd = Uint32Array.from(order, (number) => functions[number].end);
  const table = {
    length: slots.length,
    functionStart,
    functionEnd,
    functionEntry: Uint32Array.from(order, (number) => functions[number].entry),
    isResumed: Uint8Array.from(order, (number) => functions[number].isResumed ? 1 : 0),
    ...placeBlocks(slots, rowOf, functionStart, functionEnd),
    aliasStart: Uint32Array.from(aliases, ({ start }) => start),
    aliasEnd: Uint32Array.from(aliases, ({ end }) => end),
    aliasRow: Uint32Array.from(aliases, ({ owner }) => rowOf[owner]),
  };
  endBlocks(slots, table);
  return table;
}

/** Numbers of functions by start ascending, end descending, outer first. */
function sortFunctions(functions: readonly FunctionRange[]): Uint32Array {
  const order = Uint32Array.from(functions, (_, number) => number);
  return order.sort((a, b) =>
    functions[a].start - functions[b].start || functions[b].end - functions[a].end || a - b
  );
}

function invert(order: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(order.length);
  order.forEach((number, row) => inverse[number] = row);
  return inverse;
}

type Blocks = Pick<BlockTable, "firstBlock" | "blockStart" | "blockEnd">;

/** Finds the starts of all blocks: the function's own, then its slots in the order of the source. */
function placeBlocks(
  slots: SlotMap,
  rowOf: Uint32Array,
  functionStart: Uint32Array,
  functionEnd: Uint32Array,
): Blocks {
  const rows = functionStart.length;
  const firstBlock = new Uint32Array(rows + 1);
  const rowAt = (start: number): number => {
    const owner = slots.ownerAt(start);
    if (owner === -1) return -1;
    const row = rowOf[owner];
    return slots.isContinuation(start) && start >= functionEnd[row] - 1 ? -1 : row;
  };
  for (let row = 0; row < rows; row++) firstBlock[row + 1] = 1;
  for (let start = 0; start <= slots.length; start++) {
    const row = rowAt(start);
    if (row !== -1) firstBlock[row + 1]++;
  }
  for (let row = 0; row < rows; row++) firstBlock[row + 1] += firstBlock[row];
  const blockStart = new Uint32Array(firstBlock[rows]);
  const next = firstBlock.slice(0, rows);
  for (let row = 0; row < rows; row++) blockStart[next[row]++] = functionStart[row];
  for (let start = 0; start <= slots.length; start++) {
    const row = rowAt(start);
    if (row !== -1) blockStart[next[row]++] = start;
  }
  return { firstBlock, blockStart, blockEnd: new Uint32Array(blockStart.length) };
}

/**
 * A continuation ends at the next slot's start, else where the range around it ends, and at a
 * function's own level before its closing brace (`RewritePositionSingletonsToRanges` in V8's
 * `debug/debug-coverage.cc`).
 */
function endBlocks(slots: SlotMap, table: BlockTable): void {
  const { functionEnd, firstBlock, blockStart, blockEnd } = table;
  const enclosing: number[] = [];
  for (let row = 0; row < functionEnd.length; row++) {
    const end = functionEnd[row];
    const last = firstBlock[row + 1] - 1;
    blockEnd[firstBlock[row]] = end;
    enclosing.length = 0;
    for (let block = firstBlock[row] + 1; block <= last; block++) {
      const start = blockStart[block];
      while (enclosing.length > 0 && enclosing.at(-1)! <= start) enclosing.pop();
      if (!slots.isContinuation(start)) {
        blockEnd[block] = slots.endAt(start);
        enclosing.push(blockEnd[block]);
        continue;
      }
      const outerEnd = enclosing.at(-1) ?? end;
      if (block < last && blockStart[block + 1] < outerEnd) blockEnd[block] = blockStart[block + 1];
      else blockEnd[block] = enclosing.length > 0 ? outerEnd : end - 1;
    }
  }
}
