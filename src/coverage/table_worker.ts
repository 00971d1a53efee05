/** The thread that {@linkcode TableBuilder} runs: builds one table after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { buildBlockTable } from "./block_table.ts";
import { linePositions } from "./line_positions.ts";
import { TABLE_WORKER, type TableReply, type TableRequest } from "./table_builder.ts";

function build(request: TableRequest): TableReply {
  const { id, source } = request;
  try {
    const table = buildBlockTable(source);
    return { id, built: { table, positions: linePositions(source, table) } };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

if (parentPort && workerData === TABLE_WORKER) {
  const port = parentPort;
  port.on("message", (request: TableRequest) => port.postMessage(build(request)));
}
