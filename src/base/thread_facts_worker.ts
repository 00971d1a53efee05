/** The thread that reads `/proc` for {@linkcode Threads}: nobody waits for it. */
import { serveJobs } from "./job_thread.ts";
import { readProcessName, readStart } from "./thread_facts.ts";
import { type FactsReply, type FactsRequest, THREAD_FACTS } from "./threads.ts";

function answer({ kind, tids }: FactsRequest): FactsReply {
  return kind === "starts"
    ? { starts: tids.map((tid) => readStart(tid) ?? null) }
    : { names: tids.map((tid) => readProcessName(tid) ?? null) };
}

serveJobs(THREAD_FACTS, answer);
