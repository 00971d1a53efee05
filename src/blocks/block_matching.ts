/** Finds the blocks of the originals that a script's blocks were made from. */
import type { BlockTable } from "./block_table.ts";
import { innermostBlocks, rowOfBlock } from "./innermost_blocks.ts";
import type { MapSegments } from "./map_segments.ts";
import { offsetOf, type OriginalSource } from "./original_source.ts";

/** A block of an original. */
export interface Counterpart {
  /** The original's index in the map. */
  readonly file: number;
  readonly block: number;
}

export interface MatchOptions {
  readonly table: BlockTable;
  readonly segments: MapSegments;
  /** Returns an original by its index in the map. */
  readonly original: (index: number) => OriginalSource | undefined;
}

/** Finds each block's counterpart: an array by block of the script. */
export function matchBlocks(options: MatchOptions): (Counterpart | undefined)[] {
  return new Matching(options).match();
}

/** How many mappings of a block are asked for its counterpart. */
const MOST_VOTES = 4;

/** Elects a counterpart for each of some blocks. */
class Ballot {
  readonly #votes = new Map<number, (Counterpart & { votes: number })[]>();

  vote(block: number, { file, block: counterpart }: Counterpart): void {
    const candidates = this.#votes.get(block) ?? [];
    this.#votes.set(block, candidates);
    const known = candidates.find((one) => one.file === file && one.block === counterpart);
    if (known) known.votes++;
    else candidates.push({ file, block: counterpart, votes: 1 });
  }

  /** In a tie the later block wins: in maps functions begin at types that stand before them. */
  winners(): Map<number, Counterpart & { votes: number }> {
    return new Map([...this.#votes].map(([block, candidates]) => {
      const winner = candidates.reduce((best, one) =>
        one.votes > best.votes || one.votes === best.votes && one.block > best.block ? one : best
      );
      return [block, winner];
    }));
  }
}

class Matching {
  readonly #options: MatchOptions;
  readonly #found: (Counterpart | undefined)[];

  constructor(options: MatchOptions) {
    this.#options = options;
    this.#found = Array.from(options.table.blockStart, () => undefined);
  }

  match(): (Counterpart | undefined)[] {
    const { firstBlock } = this.#options.table;
    this.#matchByMappings();
    this.#matchTopLevel();
    for (let row = 0; row + 1 < firstBlock.length; row++) {
      const [first, end] = firstBlock.subarray(row, row + 2);
      if (!this.#matchByCounting(first, end)) this.#fillGaps(first, end);
    }
    return this.#found;
  }

  /** Finds each block's counterpart by its first mappings. */
  #matchByMappings(): void {
    const { table, segments } = this.#options;
    const { original } = segments;
    const asked = new Uint8Array(this.#found.length);
    const byFile = new Map<number, { block: number; offset: number }[]>();
    const blocks = innermostBlocks(table, segments.offset);
    for (const [segment, block] of blocks.entries()) {
      if (block < 0 || asked[block] === MOST_VOTES) continue;
      const offset = this.#originalOffset(segment);
      if (offset < 0) continue;
      asked[block]++;
      const wanted = byFile.get(original[segment]) ?? [];
      wanted.push({ block, offset });
      byFile.set(original[segment], wanted);
    }
    const ballot = new Ballot();
    for (const [file, wanted] of byFile) {
      const { table } = this.#options.original(file)!;
      wanted.sort((a, b) => a.offset - b.offset);
      const found = innermostBlocks(table, wanted.map(({ offset }) => offset));
      for (const [i, { block }] of wanted.entries()) {
        if (found[i] >= 0) ballot.vote(block, { file, block: found[i] });
      }
    }
    for (const [block, winner] of ballot.winners()) this.#found[block] = winner;
  }

  /** The top level of a script of one original is that of the original. */
  #matchTopLevel(): void {
    const { original, run, length } = this.#options.segments;

    const isOnly = length > 0 && run[length - 1] === 0;
    if (isOnly && this.#options.original(original[0])) {
      this.#found[0] = { file: original[0], block: 0 };
    }
  }

  /** The offset that the mapping points to, or -1. */
  #originalOffset(segment: number): number {
    const { original, line, column } = this.#options.segments;
    const source = this.#options.original(original[segment]);
    return source ? offsetOf(source, { line: line[segment], column: column[segment] }) : -1;
  }

  /**
   * Pairs the blocks of a function with those of its original, in order, if both have as many and more than
   * half of the mapped blocks are in their places.
   */
  #matchByCounting(first: number, end: number): boolean {
    const ballot = new Ballot();
    let mapped = 0;
    for (let block = first; block < end; block++) {
      const found = this.#found[block];
      if (!found) continue;
      mapped++;
      ballot.vote(first, { file: found.file, block: found.block - (block - first) });
    }
    const winner = ballot.winners().get(first);
    if (!winner || winner.votes * 2 <= mapped) return false;
    const { file, block: start } = winner;
    const row = this.#rowOf(winner);
    if (!row || row.first !== start || row.end - start !== end - first) return false;
    for (let i = 0; i < end - first; i++) this.#found[first + i] = { file, block: start + i };
    return true;
  }

  /** Finds blocks without mappings between two others whose counterparts have as many between them. */
  #fillGaps(first: number, end: number): void {
    let before = first - 1;
    for (let next = first; next <= end; next++) {
      const found = this.#found[next];
      if (next < end && !found) continue;
      const gap = next - before;
      const [left, right] = [this.#found[before], found];
      if (gap > 1 && before >= first) this.#fillGap({ before, next, end }, left!, right);
      before = next;
    }
  }

  /** @param right The counterpart of the block after the gap; none at the end of the function. */
  #fillGap(
    gap: { before: number; next: number; end: number },
    left: Counterpart,
    right: Counterpart | undefined,
  ): void {
    const { before, next, end } = gap;
    const row = this.#rowOf(left)!;
    const rightBlock = next === end ? row.end : right!.block;
    const isInRow = next === end ||
      right!.file === left.file && this.#rowOf(right!)?.first === row.first;
    if (!isInRow || rightBlock - left.block !== next - before) return;
    for (let i = 1; i < next - before; i++) {
      this.#found[before + i] = { file: left.file, block: left.block + i };
    }
  }

  /** The blocks of a counterpart's function. */
  #rowOf({ file, block }: Counterpart): { first: number; end: number } | undefined {
    const { table } = this.#options.original(file)!;
    if (block < 0 || block >= table.blockStart.length) return undefined;
    const row = rowOfBlock(table, block);
    return { first: table.firstBlock[row], end: table.firstBlock[row + 1] };
  }
}
