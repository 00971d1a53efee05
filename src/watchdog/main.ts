/** The watchdog's process; see `mod.ts`. It is started with the server's process id. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { signalOnParentDeath } from "../base/system_calls.ts";
import { within } from "../fuse/mount.ts";
import { checkJson, ShapeError } from "../base/shape.ts";
import { WATCHDOG_MESSAGE, type WatchdogMessage, type WatchedConnection } from "./mod.ts";

const connections = new Map<number, WatchedConnection>();
const folders = new Set<string>();

/** How long to wait for the last lines of a server that is dead, in ms. */
const PATIENCE = 50;

/**
 * Aborts a connection. Its control file is in a filesystem of its own, which is mounted for the purpose
 * where nobody else sees it, unless it is there already: then mount(8) fails. If neither is so, a forced
 * unmount does the same.
 */
function abort({ connection, directory, namespace }: WatchedConnection): void {
  const control = "/sys/fs/fuse/connections";
  const script = `mount -t fusectl fusectl ${control}; echo 1 > ${control}/${connection}/abort`;
  spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", script]);
  if (directory === undefined) return;
  const [command, ...args] = within(namespace, ["umount", "-i", "-f", "-l", directory]);
  spawnSync(command, args);
}

function cleanUp(): never {
  for (const connection of connections.values()) abort(connection);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  process.exit();
}

/**
 * What makes no sense ends this process: the server starts another, and tells it all that is to be watched.
 * Nothing is cleaned up, for the server lives.
 */
function receiveLine(line: string): void {
  try {
    receive(checkJson(WATCHDOG_MESSAGE, line));
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    process.stderr.write(`kcovfs: Cannot watch the server: ${error.message}\n`);
    process.exit(1);
  }
}

function receive(message: WatchdogMessage): void {
  if (message.kind === "watch") connections.set(message.connection, message);
  else if (message.kind === "forget") connections.delete(message.connection);
  else if (message.kind === "remove") folders.add(message.folder);
  else if (message.kind === "keep") folders.delete(message.folder);
  else process.exit();
}

/**
 * The last that the server said may not have been read. Its end of the pipe is closed after it, but not
 * before threads of the server's that sleep in the kernel are gone, which takes a clean-up.
 */
function cleanUpSoon(): void {
  setTimeout(cleanUp, PATIENCE);
}

/** It may have died before this process asked for a signal, and keep its children while a thread sleeps. */
function isDead(server: number): boolean {
  const stat = readFileSync(`/proc/${server}/stat`, "latin1");
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

/** Only the process that `mod.ts` starts is given a parent to watch. */
function run(parent: number): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  process.on("SIGUSR2", cleanUpSoon);
  signalOnParentDeath(constants.signals.SIGUSR2);
  if (process.ppid !== parent || isDead(parent)) cleanUpSoon();
  createInterface({ input: process.stdin })
    .on("line", receiveLine)
    .on("close", cleanUp);
}

if (Number(process.argv[2]) > 0) run(Number(process.argv[2]));
