import { plainPlaces } from "../blocks/block_places.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { placeByMap } from "./place_by_map.ts";
import type { BuiltTable, TableSource } from "./table_builder.ts";

/** Where a table's blocks stand, by the script's source map if it has one. */
export function placeTable(script: TableSource, table: BlockTable): BuiltTable {
  const plain = plainPlaces(script, table);
  if (script.isPlain) return { table, ...plain, originals: [] };
  return { table, ...placeByMap({ ...script, table, plain }) };
}
