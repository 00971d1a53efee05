import type { BlockTable } from "./block_table.ts";
import { blocksAroundHollow, placeHollow } from "./hollow_blocks.ts";
import { linePositions } from "./line_positions.ts";

/** The places of a script's blocks: in its own text, or in its originals. */
export interface BlockPlaces {
  /** The originals, as URLs or as the source map calls them. */
  readonly files: readonly string[];
  /** By block: 0 for the script itself, else one more than the index of its file. */
  readonly fileOf: Uint32Array;
  /** Four numbers a block, as in {@linkcode linePositions}, in its file. */
  readonly positions: Uint32Array;
}

/**
 * The comment that Node puts at the end of a script whose types it has stripped
 * (`stripTypeScriptModuleTypes` in `lib/internal/modules/typescript.js`). It is not in the script's file.
 */
export function addedByNode(url: string): string {
  return `\n\n//# sourceURL=${url}`;
}

/**
 * The places of the blocks in the script's own text. If it is TypeScript without its types, a block without
 * any code takes the place of the block around it: other ways to run the script do not make it.
 */
export function plainPlaces(
  script: { url: string; source: string },
  table: BlockTable,
): BlockPlaces {
  const { blockStart } = table;
  const { source } = script;
  const added = addedByNode(script.url);
  if (!source.endsWith(added)) {
    const positions = linePositions(source, table);
    return { files: [], fileOf: new Uint32Array(blockStart.length), positions };
  }
  const text = source.slice(0, -added.length);
  const positions = linePositions(text, withoutEnd(table, added.length));
  placeHollow(positions, blocksAroundHollow(table, source));
  return { files: [], fileOf: new Uint32Array(blockStart.length), positions };
}

/** The table with an earlier end of the text: blocks that reach the end reach that end. */
function withoutEnd(table: BlockTable, units: number): BlockTable {
  const length = table.length - units;
  const clip = (offset: number) => offset > length ? offset - units : offset;
  return { ...table, length, blockEnd: table.blockEnd.map(clip) };
}
