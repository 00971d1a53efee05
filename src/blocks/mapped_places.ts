/** Follows a source map from a script's blocks to its originals. */
import type { BlockPlaces } from "./block_places.ts";
import { type Counterpart, matchBlocks } from "./block_matching.ts";
import type { BlockTable } from "./block_table.ts";
import { blocksAroundHollow } from "./hollow_blocks.ts";
import { rowOfBlock } from "./innermost_blocks.ts";
import { lineStarts } from "./line_positions.ts";
import { firstFrom, flattenMap, type MapSegments } from "./map_segments.ts";
import type { OriginalSource } from "./original_source.ts";
import type { SourceMap } from "./source_map.ts";

export interface MappedScript {
  readonly url: string;
  readonly source: string;
  readonly table: BlockTable;
  /** The places of blocks that are in no original. */
  readonly plain: BlockPlaces;
}

/**
 * The places of a script's blocks in its originals.
 *
 * A map says where single tokens come from, but mostly not the tokens at which blocks begin and end: a `?`, a
 * brace. So each original gets a block table of its own, and a block takes the place of its *counterpart*: the
 * innermost block of the original around the tokens that the block's first mappings name. If Deno or a bundler
 * has compiled a file, its blocks then stand where they stand when Node runs the file itself, to the column.
 * If a function has as many blocks as its original, in the same order as far as the map tells, blocks without
 * a mapping of their own are found by counting.
 *
 * V8 makes a block without any code after an `await` in parentheses, for example. It takes the place of the
 * block around it: whether it exists depends on the compiler.
 *
 * Where an original is missing, or cannot be parsed, a block goes from the first token in it that is mapped to
 * the start of the last one. A block without such a token stands at the nearest mapped token before it in its
 * function. A block without that, and the top level of a script of several originals, stands where it is in
 * the script.
 *
 * @param original Returns an original by its index in the map.
 */
export function mappedPlaces(
  script: MappedScript,
  map: SourceMap,
  original: (index: number) => OriginalSource | undefined,
): BlockPlaces {
  return new Mapping(script, map, original).places();
}

class Mapping {
  readonly #script: MappedScript;
  readonly #map: SourceMap;
  readonly #segments: MapSegments;
  readonly #original: (index: number) => OriginalSource | undefined;
  /** Whether the script has the name of one of its originals. */
  readonly #isOriginal: boolean;
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
    this.#fileOf = new Uint32Array(count);
    this.#positions = plain.positions.slice();
  }

  places(): BlockPlaces {
    const { table } = this.#script;
    const found = matchBlocks({ table, segments: this.#segments, original: this.#original });
    const around = blocksAroundHollow(table, this.#script.source);
    const { length, run } = this.#segments;
    const isMixed = length > 0 && run[length - 1] > 0;
    for (let block = isMixed ? 1 : 0; block < found.length; block++) {
      const counterpart = found[block];
      const outer = around[block];
      if (counterpart) this.#place(block, counterpart);
      else if (outer >= 0) this.#placeAs(block, outer);
      else this.#placeByMappings(block);
    }
    const files = this.#map.originals.map(({ url }) => url);
    return { files, fileOf: this.#fileOf, positions: this.#positions };
  }

  #place(block: number, counterpart: Counterpart): void {
    const { file } = counterpart;
    const at = 4 * counterpart.block;
    const { positions } = this.#original(file)!;
    this.#fileOf[block] = file + 1;
    this.#positions.set(positions.subarray(at, at + 4), 4 * block);
  }

  #placeAs(block: number, other: number): void {
    this.#fileOf[block] = this.#fileOf[other];
    this.#positions.copyWithin(4 * block, 4 * other, 4 * other + 4);
  }

  #placeByMappings(block: number): void {
    const { table } = this.#script;
    const { run, offset } = this.#segments;
    const first = firstFrom(this.#segments, table.blockStart[block]);
    let last = firstFrom(this.#segments, table.blockEnd[block]) - 1;
    if (first <= last) {
      // The last mapping to the same original as the first.
      while (run[last] !== run[first]) last--;
      return this.#put(block, first, last);
    }
    const before = first - 1;
    const isInFunction = before >= 0 &&
      offset[before] >= table.functionStart[rowOfBlock(table, block)];
    if (isInFunction) this.#put(block, before, before);
    // A place in the script would be taken for a place in the original of the same name.
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
