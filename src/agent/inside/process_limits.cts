/** The room that a process leaves for the agent: memory, descriptors, threads. */
const fs = require("node:fs") as typeof import("node:fs");

const MIB = 1024 * 1024;
/**
 * Bytes of address space for the agent's thread, its heap and some for the program: V8 ends the process when
 * it gets none. Measured: 650 MiB on Node 20, 1200 MiB on Node 26.
 */
const THREAD_SPACE = 2048 * MIB;
/** Bytes that probes need besides: see `probes.cts` and `areas.ts`. */
const PROBES_SPACE = 2048 * MIB;
/** Descriptors: those of the agent's thread and its socket, and some for the program. */
const DESCRIPTORS = 64;
/**
 * Threads: the agent's, libuv's pool (which ends the process when it gets none; measured on Node 20), and
 * some for the program.
 */
const THREADS = 16;
/** A limit of processes above this is taken for no limit: to count a user's threads takes time. */
const MOST_PROCESSES = 1024;

/**
 * Why the agent must not start here; undefined if it may. It may not if it cannot start, or if the limits of
 * the process are so tight that it, or the program because of it, would run into them.
 */
function whyNoRoom({ isTraced }: { isTraced: boolean }): Error | undefined {
  // A thread cannot start without a working directory.
  if (!hasFolder()) return new Error("its working directory is gone");
  const limits = read("/proc/self/limits");
  const space = limitIn(limits, "Max address space") - spaceInUse();
  if (space < THREAD_SPACE + (isTraced ? PROBES_SPACE : 0)) {
    return new Error(`the limit of address space (ulimit -v) leaves ${space / MIB | 0} MiB`);
  }
  const descriptors = limitIn(limits, "Max open files") - descriptorsInUse();
  if (descriptors < DESCRIPTORS) {
    return new Error(`the limit of open files (ulimit -n) leaves ${descriptors}`);
  }
  const processes = limitIn(limits, "Max processes");
  // The kernel does not apply this limit to root.
  if (processes <= MOST_PROCESSES && process.getuid?.() !== 0) {
    const threads = processes - threadsOfUser();
    if (threads < THREADS) return new Error(`the limit of processes (ulimit -u) leaves ${threads}`);
  }
  return undefined;
}

function hasFolder(): boolean {
  try {
    return process.cwd() !== "";
  } catch {
    return false;
  }
}

/** The soft limit of that name; a limit that cannot be read counts as no limit. */
function limitIn(limits: string, name: string): number {
  const line = limits.split("\n").find((line) => line.startsWith(name));
  const limit = line === undefined ? NaN : parseInt(line.slice(name.length), 10);
  return Number.isNaN(limit) ? Infinity : limit;
}

/** Bytes; a page has 4096 or more. */
function spaceInUse(): number {
  const status = read("/proc/self/status");
  return (Number(/^VmSize:\s+(\d+)/m.exec(status)?.[1]) || 0) * 1024;
}

/** Counts as the kernel does for the limit: the visible threads of all processes of this real user. */
function threadsOfUser(): number {
  const uid = process.getuid?.();
  let threads = 0;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    const status = read(`/proc/${pid}/status`);
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) !== uid) continue;
    threads += Number(/^Threads:\s+(\d+)/m.exec(status)?.[1]) || 1;
  }
  return threads;
}

function descriptorsInUse(): number {
  return list("/proc/self/fd").length;
}

/** Empty where there is no such folder, or it may not be read. */
function list(path: string): readonly string[] {
  try {
    return fs.readdirSync(path);
  } catch {
    return [];
  }
}

/** Empty where there is no such file, or it may not be read. */
function read(path: string): string {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

const parts = { whyNoRoom };
module.exports = parts;
export type Parts = typeof parts;
