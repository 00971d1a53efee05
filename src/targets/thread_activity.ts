import { readFileSync } from "node:fs";

/**
 * A text that changes whenever a thread of a process has run; undefined if the kernel does not say, or the
 * process cannot be seen. It is `/proc/PID/task/TID/schedstat`: ns on a processor, ns waiting for one, and
 * the number of times that it was given one. Only the last is exact while the thread runs (Linux,
 * `sched_info_arrive` in `kernel/sched/stats.h`).
 */
export function threadActivity(pid: number, tid = pid): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1");
  } catch {
    return undefined;
  }
}
