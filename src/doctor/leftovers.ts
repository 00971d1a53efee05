/** Finds leftovers of servers that were killed, and targets that others have stopped. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { ENVIRONMENT } from "../messages/protocol.ts";
import { findAbandoned } from "../base/locked_folder.ts";
import { readMountTable } from "../fuse/mod.ts";
import { inTime } from "../base/in_time.ts";
import { parseStatus } from "../base/process_facts.ts";
import { RUN_FOLDERS, RUN_PLACE } from "../messages/run_folder.ts";
import { SHARED_FOLDERS, SHARED_PLACES } from "../base/shared_folder.ts";
import type { Finding } from "./finding.ts";

/** ms that a mount has to answer. */
const TIMEOUT = 2000;

/** The state of the mounts of a type. */
export interface ExaminedMounts {
  readonly findings: readonly Finding[];
  /** The mounts that answer. */
  readonly answering: readonly string[];
}

/** A finding for each mount that does not answer, or one that says that all do. */
export async function examineMounts(type: string): Promise<ExaminedMounts> {
  const mounts = (await readMountTable()).filter((mount) => mount.type === type);
  const examined = await Promise.all(
    mounts.map(async ({ mountPoint }) => ({ mountPoint, reason: await whyDead(mountPoint) })),
  );
  const dead = examined.filter(({ reason }) => reason !== undefined);
  const answering = examined.filter(({ reason }) => reason === undefined)
    .map(({ mountPoint }) => mountPoint);
  const detail = answering.length === 0 ? "none" : `${answering.join(", ")}: answers`;
  const findings: Finding[] = dead.length === 0
    ? [{ name: "mounts", verdict: "ok", detail }]
    : dead.map(({ mountPoint, reason }) => ({
      name: "mounts",
      verdict: "advice",
      detail: `${mountPoint}: ${reason}`,
      remedy: `kcovfs unmount ${mountPoint}`,
    }));
  return { findings, answering };
}

/**
 * Why a mount does not answer; undefined when it does. Another process asks: it may hang where it cannot be
 * ended, so it is not waited for.
 */
async function whyDead(directory: string): Promise<string | undefined> {
  // The kernel still knows the root of a dead mount, but not its size.
  const child = spawn("stat", ["--file-system", "--", directory], { stdio: "ignore" });
  child.unref();
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  try {
    const reason = `no answer within ${TIMEOUT} ms`;
    return await inTime(ended, TIMEOUT, { reason }) === 0 ? undefined : "its server is dead";
  } catch (error) {
    child.kill("SIGKILL");
    return (error as Error).message;
  }
}

/** Finds the folders of servers that were killed; those of living servers are locked. */
export async function examineFolders(): Promise<Finding> {
  const lists = await Promise.all([
    findAbandoned(RUN_PLACE, RUN_FOLDERS),
    ...SHARED_PLACES.map((place) => findAbandoned(place, SHARED_FOLDERS)),
  ]);
  const left = lists.flat();
  if (left.length === 0) {
    return { name: "folders", verdict: "ok", detail: "none is left behind" };
  }
  return {
    name: "folders",
    verdict: "advice",
    detail: `left by servers that were killed: ${left.join(", ")}`,
    remedy: `rm -r ${left.join(" ")}; the next server does so, too`,
  };
}

/**
 * Finds targets that somebody has stopped, so that clients wait in vain: processes with kcovfs in their
 * environment.
 *
 * @param attached Other processes that servers measure.
 */
export function examineStopped(attached: readonly number[]): Finding[] {
  const pids = readdirSync("/proc").map(Number).filter((pid) => pid > 0);
  const isTarget = (pid: number) => attached.includes(pid) || hasSocket(pid);
  const stopped = pids.filter((pid) => isStopped(pid) && isTarget(pid));
  if (stopped.length === 0) return [{ name: "targets", verdict: "ok", detail: "none is stopped" }];
  return stopped.map((pid) => ({
    name: "targets",
    verdict: "advice",
    detail: `process ${pid} is stopped: reads are late`,
    remedy: `kill -CONT ${pid}`,
  }));
}

function isStopped(pid: number): boolean {
  return parseStatus(readText(`/proc/${pid}/status`)).state === "T";
}

function hasSocket(pid: number): boolean {
  return readText(`/proc/${pid}/environ`).split("\0")
    .some((variable) => variable.startsWith(`${ENVIRONMENT.socket}=`));
}

/** Empty for a process that has ended, or that may not be looked at. */
function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
