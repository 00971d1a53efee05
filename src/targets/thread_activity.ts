import { readFileSync } from "node:fs";

/**
 * A text that is another one whenever a thread of a process has run since; undefined where the kernel
 * does not say or the process is not to be seen. It is `/proc/PID/task/TID/schedstat`: ns on a processor,
 * ns waiting for one, and how often it was given one, which alone is exact while it runs (Linux,
 * `sched_info_arrive` in `kernel/sched/stats.h`).
 */
export function threadActivity(pid: number, tid = pid): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1");
  } catch {
    return undefined;
  }
}
