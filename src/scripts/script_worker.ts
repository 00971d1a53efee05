/** The thread that {@linkcode Pipeline} runs: it takes one script after the other. */
import { serveJobs } from "../base/job_thread.ts";
import { buildBlockTable } from "../blocks/block_table.ts";
import { findAmaro } from "../blocks/original_source.ts";
import { StateError } from "../blocks/state_error.ts";
import { mapComment } from "../probes/map_comment.ts";
import { prepare, type Prepared } from "../probes/prepare.ts";
import { placeBlocks } from "./place_blocks.ts";
import { SCRIPT_WORKER, type ScriptJob, type ScriptParts, type ScriptReply } from "./script_job.ts";

/** The source that was asked about last: mostly its code is asked for next. */
let last: { readonly source: string; readonly prepared: Prepared } | undefined;

function answer(job: ScriptJob): ScriptReply {
  try {
    return job.isProbed ? probe(job) : count(job);
  } catch (error) {
    const { message } = error as Error;
    return error instanceof StateError ? { later: message } : { error: message };
  }
}

function count(job: ScriptJob): ScriptParts {
  const table = buildBlockTable(job.source);
  return job.firstPc === undefined ? { table, places: placeBlocks(job, table) } : { table };
}

function probe(job: ScriptJob): ScriptParts {
  const { url, source, firstPc } = job;
  const prepared = last?.source === source ? last.prepared : prepare(source, {});
  const { table } = prepared;
  if (firstPc === undefined) {
    last = { source, prepared };
    return { places: placeBlocks(job, table) };
  }
  last = undefined;
  const { code, map } = prepared.emit({ firstPc, url });
  return { probed: { code: code + mapComment(map), blocks: table.blockStart.length } };
}

findAmaro();
serveJobs(SCRIPT_WORKER, answer);
