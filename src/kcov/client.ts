import { readFileSync } from "node:fs";

/** A process that uses the device. */
export interface Client {
  readonly pid: number;
  /** As it calls itself, in `/proc/PID/comm`: any text, of 15 bytes at most. */
  readonly name: string;
}

/** The process of a thread; undefined where it is gone, or in no namespace that is seen from here. */
export function findClient(tid: number): Client | undefined {
  try {
    const status = readFileSync(`/proc/${tid}/status`, "latin1");
    const pid = Number(status.match(/^Tgid:\s*(\d+)$/m)![1]);
    return { pid, name: readFileSync(`/proc/${pid}/comm`, "utf8").replace(/\n$/, "") };
  } catch {
    return undefined;
  }
}
