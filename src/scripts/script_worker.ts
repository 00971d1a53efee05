/** The thread that {@linkcode Pipeline} runs: it does one script after the other. */
import { createHash } from "node:crypto";
import { serveJobs } from "../base/job_thread.ts";
import { buildBlockTable } from "../blocks/block_table.ts";
import { findAmaro } from "../blocks/original_source.ts";
import { StateError } from "../blocks/state_error.ts";
import { prepare, type Prepared, type PrepareOptions } from "../probes/prepare.ts";
import { placeBlocks } from "./place_blocks.ts";
import { SCRIPT_WORKER, type ScriptJob, type ScriptParts, type ScriptReply } from "./script_job.ts";

/** The source of the last job: mostly its code is asked for next. */
let last:
  | { readonly source: string; readonly keepsValue: boolean; readonly prepared: Prepared }
  | undefined;

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
  const { url, source, firstPc, keepsValue = false } = job;
  const isLast = last?.source === source && last.keepsValue === keepsValue;
  const prepared = isLast ? last!.prepared : prepare(source, optionsFor(keepsValue));
  const { table } = prepared;
  if (firstPc === undefined) {
    last = { source, keepsValue, prepared };
    return { places: placeBlocks(job, table) };
  }
  last = undefined;
  const emitted = prepared.emit({ firstPc, url });
  const blocks = table.blockStart.length;
  return { probed: { ...emitted, hash: hashOf(emitted.code), blocks } };
}

/** A script whose value is kept is no module. */
function optionsFor(keepsValue: boolean): PrepareOptions {
  return keepsValue ? { keepsValue, isModule: false } : {};
}

/** V8 hashes a text up to its first zero only (`Script::GetScriptHash` in its `objects/script.cc`). */
function hashOf(code: string): string {
  return createHash("sha256").update(code.split("\0", 1)[0]).digest("hex");
}

findAmaro();
serveJobs(SCRIPT_WORKER, answer);
