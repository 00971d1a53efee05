/** Ends the processes of a mount namespace that was made for a command. */
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Pidfd } from "../base/pidfd.ts";

/** The way to end a namespace's processes. */
export interface EndOptions {
  /** ms between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** When it is aborted, the time of grace ends. */
  readonly hurry: AbortSignal;
}

/** A process that was ended. */
export interface EndedProcess {
  readonly pid: number;
  /** The kernel's name for it. */
  readonly name: string;
  /** Whether it got SIGKILL. */
  readonly isKilled: boolean;
  /** Whether it has ended; a process that hangs in a system call cannot. */
  readonly hasEnded: boolean;
}

/** ms between two looks. */
const INTERVAL = 20;
/** ms in which processes end that somebody else has ended, such as the command at its own end. */
const PATIENCE = 300;
/** ms that killed processes have to end. */
const LONGEST_DEATH = 2000;

interface Member {
  readonly pid: number;
  readonly handle: Pidfd;
  readonly name: string;
  isKilled: boolean;
}

/**
 * Ends all processes of a mount namespace, including those that appear meanwhile: by SIGTERM, and those that
 * live on by SIGKILL. A stopped process is woken, since it could not act on SIGTERM.
 *
 * @param namespace The link `/proc/PID/ns/mnt`.
 */
export async function endNamespace(
  namespace: string,
  { grace, hurry }: EndOptions,
): Promise<EndedProcess[]> {
  const members: Member[] = [];
  await untilEmpty(namespace, hurry);
  const start = performance.now();
  try {
    for (;;) {
      const living = members.filter(({ handle }) => !handle.hasEnded);
      const known = new Set(living.map(({ pid }) => pid));
      const added = membersOf(namespace, known);
      members.push(...added);
      for (const { handle } of added) terminate(handle);
      const waited = performance.now() - start;
      if (living.length + added.length === 0 || waited > grace + LONGEST_DEATH) break;
      if (waited > grace || hurry.aborted) [...living, ...added].forEach(kill);
      await sleep(INTERVAL);
    }
    return members.map(({ pid, handle, name, isKilled }) => {
      return { pid, name, isKilled, hasEnded: handle.hasEnded };
    });
  } finally {
    for (const { handle } of members) handle[Symbol.dispose]();
  }
}

async function untilEmpty(namespace: string, hurry: AbortSignal): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (performance.now() < end && !hurry.aborted && pidsIn(namespace).length > 0) {
    await sleep(INTERVAL);
  }
}

function pidsIn(namespace: string): number[] {
  return fs.readdirSync("/proc").map(Number)
    .filter((pid) => Number.isInteger(pid) && isIn(namespace, pid));
}

function terminate(handle: Pidfd): void {
  handle.signal("SIGTERM");
  handle.signal("SIGCONT");
}

function kill(member: Member): void {
  if (!member.isKilled) member.handle.signal("SIGKILL");
  member.isKilled = true;
}

/**
 * The processes in a namespace. Reading these files of `/proc` takes no lock of a process, as `stat` would:
 * the process may be waiting for this one.
 */
function membersOf(namespace: string, known: ReadonlySet<number>): Member[] {
  const members: Member[] = [];
  for (const pid of pidsIn(namespace)) {
    if (known.has(pid)) continue;
    const handle = openProcess(pid);
    if (!handle) continue;
    // The number may have passed to another process before the descriptor was opened, but not since.
    const name = nameOf(pid);
    if (isIn(namespace, pid) && !handle.hasEnded) {
      members.push({ pid, handle, name, isKilled: false });
    } else handle[Symbol.dispose]();
  }
  return members;
}

function openProcess(pid: number): Pidfd | undefined {
  try {
    return Pidfd.open(pid);
  } catch {
    // The process is gone.
    return undefined;
  }
}

function isIn(namespace: string, pid: number): boolean {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/mnt`) === namespace;
  } catch {
    return false;
  }
}

function nameOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return String(pid);
  }
}
