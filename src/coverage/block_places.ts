import type { BlockTable } from "./block_table.ts";
import { linePositions } from "./line_positions.ts";

/** Where the blocks of a script stand: in its own text, or in those that it was made from. */
export interface BlockPlaces {
  /** The originals, as URLs or as the source map calls them. */
  readonly files: readonly string[];
  /** By block: 0 for the script itself, else one more than the index of its file. */
  readonly fileOf: Uint32Array;
  /** Four numbers a block, as those of {@linkcode linePositions}, in its file. */
  readonly positions: Uint32Array;
}

/**
 * Where the blocks stand in the script's own text.
 *
 * Node ends a script whose types it has stripped with two line ends and a `sourceURL` that is the
 * script's own: they are not in the file (`lib/internal/modules/typescript.js`).
 */
export function plainPlaces(
  script: { url: string; source: string },
  table: BlockTable,
): BlockPlaces {
  const { blockStart } = table;
  const added = `\n\n//# sourceURL=${script.url}`;
  const positions = script.source.endsWith(added)
    ? linePositions(script.source.slice(0, -added.length), withoutEnd(table, added.length))
    : linePositions(script.source, table);
  return { files: [], fileOf: new Uint32Array(blockStart.length), positions };
}

/** Blocks that reach the end of the text reach an earlier end. */
function withoutEnd(table: BlockTable, units: number): BlockTable {
  const length = table.length - units;
  const clip = (offset: number) => offset > length ? offset - units : offset;
  return { ...table, length, blockEnd: table.blockEnd.map(clip) };
}
