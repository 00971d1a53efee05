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

/** ms to wait for the last lines of a dead server. */
const PATIENCE = 50;

/**
 * Aborts a connection. Its control file is in a filesystem of its own, which this mounts where nobody else
 * sees it, unless it is mounted already: then mount(8) fails. A forced unmount follows if the mount point is
 * known; it does the same where there is no control file.
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
 * A line that makes no sense ends this process. The server starts another, and sends it all that is to be
 * watched. Nothing is cleaned up, since the server lives.
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
 * Cleans up a little later: the server's last lines may not have been read. The kernel closes the server's
 * end of the pipe after them, but only when threads of the server that sleep in the kernel are gone, and
 * these wait for a clean-up.
 */
function cleanUpSoon(): void {
  setTimeout(cleanUp, PATIENCE);
}

/** It may have died before this process asked for a signal, and a sleeping thread keeps it as a parent. */
function isDead(server: number): boolean {
  const stat = readFileSync(`/proc/${server}/stat`, "latin1");
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

/** Only the process that `mod.ts` starts gets a parent to watch. */
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
