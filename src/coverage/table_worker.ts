/** The thread that {@linkcode TableBuilder} runs: builds one table after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { Done, Job } from "../job_thread.ts";
import { buildBlockTable } from "./block_table.ts";
import { placeTable } from "./place_table.ts";
import { TABLE_WORKER, type TableReply, type TableSource } from "./table_builder.ts";

function build(request: TableSource): TableReply {
  try {
    return { built: placeTable(request, buildBlockTable(request.source)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

if (parentPort && workerData === TABLE_WORKER) {
  const port = parentPort;
  port.on("message", ({ id, request }: Job<TableSource>) => {
    const done: Done<TableReply> = { id, reply: build(request) };
    port.postMessage(done);
  });
}
