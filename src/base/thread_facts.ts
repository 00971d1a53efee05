/**
 * What `/proc` tells of threads. To read it may take locks of theirs, whose owner may be waiting for this
 * process: only a thread that nobody waits for may call these (see `thread_facts_worker.ts`).
 */
import { readFileSync } from "node:fs";

/** A process, by what it calls itself. */
export interface NamedProcess {
  readonly pid: number;
  /** As in `/proc/PID/comm`: any text, of 15 bytes at most. */
  readonly name: string;
}

/**
 * When a thread began, in clock ticks since boot, for numbers of threads are used again; undefined when
 * there is none by this number, or when it has ended.
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

/** The process of a thread; undefined where it is gone, or in no namespace that is seen from here. */
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
