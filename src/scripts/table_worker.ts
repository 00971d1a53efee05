/** The thread that {@linkcode TableBuilder} runs: builds one table after the other. */
import { serveJobs } from "../base/job_thread.ts";
import { buildBlockTable } from "../blocks/block_table.ts";
import { placeTable } from "./place_table.ts";
import { TABLE_WORKER, type TableReply, type TableSource } from "./table_builder.ts";

function build(request: TableSource): TableReply {
  try {
    return { built: placeTable(request, buildBlockTable(request.source)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

serveJobs(TABLE_WORKER, build);
