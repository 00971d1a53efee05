/** The thread that {@linkcode TableBuilder} runs: builds one table after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { type BlockPlaces, plainPlaces } from "./block_places.ts";
import { type BlockTable, buildBlockTable } from "./block_table.ts";
import { placeByMap } from "./place_by_map.ts";
import {
  type BuiltTable,
  TABLE_WORKER,
  type TableReply,
  type TableRequest,
} from "./table_builder.ts";

function build(request: TableRequest): TableReply {
  const { id } = request;
  try {
    return { id, built: buildTable(request) };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

function buildTable(request: TableRequest): BuiltTable {
  const table: BlockTable = buildBlockTable(request.source);
  const plain: BlockPlaces = plainPlaces(request, table);
  if (request.isPlain) return { table, ...plain };
  return { table, ...placeByMap({ ...request, table, plain }) };
}

if (parentPort && workerData === TABLE_WORKER) {
  const port = parentPort;
  port.on("message", (request: TableRequest) => port.postMessage(build(request)));
}
