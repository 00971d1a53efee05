/**
 * Facts about threads from `/proc`. To read them may take locks of those threads, whose owner may be waiting
 * for this process. So only a thread that nobody waits for may call these (see `thread_facts_worker.ts`).
 */
import { readFileSync } from "node:fs";

/** A process and the name that it gives itself. */
export interface NamedProcess {
  readonly pid: number;
  /** As in `/proc/PID/comm`: any text, of 15 bytes at most. */
  readonly name: string;
}

/**
 * When a thread began, in clock ticks since boot: numbers of threads are used again. Undefined when no thread
 * has this number, or when it has ended.
 */
export function readStart(tid: number): number | undefined {
  const stat = readText(`/proc/${tid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses, which may itself hold spaces and parentheses; the
  // state is the third, the start time the twenty-second: proc_pid_stat(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isDead = fields[0] === "Z" || fields[0] === "X";
  return isDead ? undefined : Number(fields[19]);
}

/** The process of a thread; undefined where it is gone, or in a namespace that is not seen from here. */
export function readProcessName(tid: number): NamedProcess | undefined {
  const pid = Number(readText(`/proc/${tid}/status`)?.match(/^Tgid:\s*(\d+)$/m)?.[1]);
  const name = pid > 0 ? readText(`/proc/${pid}/comm`) : undefined;
  return name === undefined ? undefined : { pid, name: name.replace(/\n$/, "") };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
