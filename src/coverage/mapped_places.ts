/** Follows a source map from a script's blocks to its originals. */
import type { BlockPlaces } from "./block_places.ts";
import type { BlockTable } from "./block_table.ts";
import { innermostBlocks, rowOfBlock } from "./innermost_blocks.ts";
import { lineStarts } from "./line_positions.ts";
import { firstFrom, flattenMap, type MapSegments } from "./map_segments.ts";
import { offsetOf, type OriginalSource } from "./original_source.ts";
import type { SourceMap } from "./source_map.ts";

/** What is known of the script. */
export interface MappedScript {
  readonly url: string;
  readonly source: string;
  readonly table: BlockTable;
  /** Where blocks stand that no original has. */
  readonly plain: BlockPlaces;
}

/**
 * Where the blocks of a script stand in its originals.
 *
 * A map tells where single tokens come from, and mostly not those at which blocks begin and end: a `?`, a
 * brace. So an original gets a block table of its own, and a block is where its *counterpart* is, the
 * innermost block of the original around the tokens that the block's first mappings name. What Deno or a
 * bundler has made of a file then stands where it stands when Node runs the file itself, to the column.
 * In a function that has as many blocks as its original, in the same order as far as the map tells, those
 * without a mapping of their own are found by counting.
 *
 * Where an original is not there, or cannot be parsed, a block goes from the first token in it that is
 * mapped to where the last one begins. A block without any stands at the nearest mapped token before it
 * in its function. Without that, or if it is the top level of a script of several originals, it stands
 * where it is in the script.
 *
 * @param original Tells an original by its index in the map.
 */
export function mappedPlaces(
  script: MappedScript,
  map: SourceMap,
  original: (index: number) => OriginalSource | undefined,
): BlockPlaces {
  return new Mapping(script, map, original).places();
}

/** How many mappings of a block have a say. */
const MOST_VOTES = 4;

/** A block of an original. */
interface Counterpart {
  readonly file: number;
  readonly block: number;
}

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

  /** Of equals the one further in: maps have functions begin at types before them. */
  winners(): Map<number, Counterpart & { votes: number }> {
    return new Map([...this.#votes].map(([block, candidates]) => {
      const winner = candidates.reduce((best, one) =>
        one.votes > best.votes || one.votes === best.votes && one.block > best.block ? one : best
      );
      return [block, winner];
    }));
  }
}

class Mapping {
  readonly #script: MappedScript;
  readonly #map: SourceMap;
  readonly #segments: MapSegments;
  readonly #original: (index: number) => OriginalSource | undefined;
  /** Whether the script bears the name of one of its originals. */
  readonly #isOriginal: boolean;
  /** By block: its counterpart's original and index there; -1 without one. */
  readonly #matchFile: Int32Array;
  readonly #matchBlock: Int32Array;
  readonly #fileOf: Uint32Array;
  readonly #positions: Uint32Array;

  constructor(
    script: MappedScript,
    map: SourceMap,
    original: (index: number) => OriginalSource | undefined,
  ) {
    const { source, table, plain } = script;
    const count = table.blockStart.length;
    this.#script = script;
    this.#map = map;
    this.#original = original;
    this.#isOriginal = map.originals.some(({ url }) => url === script.url);
    this.#segments = flattenMap(map, { lineStarts: lineStarts(source), length: source.length });
    this.#matchFile = new Int32Array(count).fill(-1);
    this.#matchBlock = new Int32Array(count).fill(-1);
    this.#fileOf = new Uint32Array(count);
    this.#positions = plain.positions.slice();
  }

  places(): BlockPlaces {
    this.#matchByMappings();
    const { firstBlock, blockStart } = this.#script.table;
    for (let row = 0; row + 1 < firstBlock.length; row++) this.#matchByCounting(row);
    const { length, run } = this.#segments;
    const isMixed = length > 0 && run[length - 1] > 0;
    for (let block = isMixed ? 1 : 0; block < blockStart.length; block++) this.#place(block);
    const files = this.#map.originals.map(({ url }) => url);
    return { files, fileOf: this.#fileOf, positions: this.#positions };
  }

  /** Asks each block's first mappings for its counterpart. */
  #matchByMappings(): void {
    const { original } = this.#segments;
    const asked = new Uint8Array(this.#matchFile.length);
    const byFile = new Map<number, { block: number; offset: number }[]>();
    const blocks = innermostBlocks(this.#script.table, this.#segments.offset);
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
      const { table } = this.#original(file)!;
      const order = wanted.map((_, i) => i).sort((a, b) => wanted[a].offset - wanted[b].offset);
      const found = innermostBlocks(table, order.map((i) => wanted[i].offset));
      for (const [i, at] of order.entries()) {
        if (found[i] >= 0) ballot.vote(wanted[at].block, { file, block: found[i] });
      }
    }
    for (const [block, { file, block: counterpart }] of ballot.winners()) {
      this.#matchFile[block] = file;
      this.#matchBlock[block] = counterpart;
    }
  }

  /** Where the mapping points to, or -1. */
  #originalOffset(segment: number): number {
    const { original, line, column } = this.#segments;
    const source = this.#original(original[segment]);
    return source ? offsetOf(source, { line: line[segment], column: column[segment] }) : -1;
  }

  /** Pairs the blocks of a function with those of its original, in order. */
  #matchByCounting(row: number): void {
    const { firstBlock } = this.#script.table;
    const first = firstBlock[row];
    const count = firstBlock[row + 1] - first;
    const counterpart = this.#counterpart(first, count);
    if (!counterpart) return;
    const { file, block: start } = counterpart;
    for (let i = 0; i < count; i++) {
      this.#matchFile[first + i] = file;
      this.#matchBlock[first + i] = start + i;
    }
  }

  /**
   * The function of an original that has `count` blocks, as those from `first` on, of which more than half
   * that are mapped are in their places; as the place of its first block.
   */
  #counterpart(first: number, count: number): { file: number; block: number } | undefined {
    const ballot = new Ballot();
    let mapped = 0;
    for (let i = 0; i < count; i++) {
      const file = this.#matchFile[first + i];
      if (file < 0) continue;
      mapped++;
      ballot.vote(first, { file, block: this.#matchBlock[first + i] - i });
    }
    const winner = ballot.winners().get(first);
    if (!winner || winner.votes * 2 <= mapped) return undefined;
    const { table } = this.#original(winner.file)!;
    if (winner.block < 0 || winner.block >= table.blockStart.length) return undefined;
    const row = rowOfBlock(table, winner.block);
    const [start, end] = table.firstBlock.subarray(row, row + 2);
    return start === winner.block && end - start === count ? winner : undefined;
  }

  #place(block: number): void {
    const file = this.#matchFile[block];
    if (file < 0) return this.#placeByMappings(block);
    const at = 4 * this.#matchBlock[block];
    const { positions } = this.#original(file)!;
    this.#fileOf[block] = file + 1;
    this.#positions.set(positions.subarray(at, at + 4), 4 * block);
  }

  #placeByMappings(block: number): void {
    const { table } = this.#script;
    const { run, offset } = this.#segments;
    const first = firstFrom(this.#segments, table.blockStart[block]);
    let last = firstFrom(this.#segments, table.blockEnd[block]) - 1;
    if (first <= last) {
      // The last of the first one's original.
      while (run[last] !== run[first]) last--;
      return this.#put(block, first, last);
    }
    const before = first - 1;
    const isInFunction = before >= 0 &&
      offset[before] >= table.functionStart[rowOfBlock(table, block)];
    if (isInFunction) this.#put(block, before, before);
    // A place in the script would be taken for one in the original of that name.
    else if (this.#isOriginal && this.#segments.length > 0) {
      this.#put(block, Math.max(0, before), Math.max(0, before));
    }
  }

  #put(block: number, first: number, last: number): void {
    const { original, line, column } = this.#segments;
    const start = [line[first] + 1, column[first] + 1];
    const end = [line[last] + 1, column[last] + 1];
    const isAfter = end[0] - start[0] || end[1] - start[1];
    this.#fileOf[block] = original[first] + 1;
    this.#positions.set([...start, ...(isAfter >= 0 ? end : start)], 4 * block);
  }
}
