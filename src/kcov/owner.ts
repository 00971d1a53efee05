import { readFileSync } from "node:fs";

/** A thread that has enabled an instance: its id and when it began, for thread ids are used again. */
export interface Owner {
  readonly tid: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

/** Identifies a thread, or undefined when there is none by this id. */
export function findOwner(tid: number): Owner | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${tid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses, which may itself hold spaces and parentheses; the
  // state is the third, the start time the twenty-second: proc_pid_stat(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const isDead = fields[0] === "Z" || fields[0] === "X";
  return isDead ? undefined : { tid, startTime: Number(fields[19]) };
}

/** Whether the thread still runs: no message tells of a thread's end. */
export function isAlive(owner: Owner): boolean {
  return findOwner(owner.tid)?.startTime === owner.startTime;
}
