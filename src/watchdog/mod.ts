import { type ChildProcess, spawn } from "node:child_process";
import { realpath } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { index, record } from "../base/shape.ts";
import { readMountTable } from "../fuse/mod.ts";

const CONNECTION = {
  /** Its number under `/sys/fs/fuse/connections`: the minor device number of the mount. */
  connection: index,
  /** Its mount point, if that is to be unmounted, too. */
  directory: v.optional(v.string()),
  /** The file that names its mount namespace; by default the watchdog's own. */
  namespace: v.optional(v.string()),
} as const;
const FOLDER = v.pipe(v.string(), v.startsWith("/"), v.minLength(2));

/** A FUSE connection that must be aborted when the server dies. */
export type WatchedConnection = v.InferOutput<typeof WATCHED_CONNECTION>;
const WATCHED_CONNECTION = record(CONNECTION);

/** The server's messages to its watchdog, a JSON line each. */
export type WatchdogMessage = v.InferOutput<typeof WATCHDOG_MESSAGE>;
export const WATCHDOG_MESSAGE = v.variant("kind", [
  v.object({ kind: v.literal("watch"), ...CONNECTION }),
  v.object({ kind: v.literal("forget"), connection: index }),
  // A folder to remove when the server dies, or no longer to remove.
  v.object({ kind: v.picklist(["remove", "keep"]), folder: FOLDER }),
  v.object({ kind: v.literal("bye") }),
]);

/** ms: if a watchdog has lived as long, the next one is started at once. */
const RESTART_DELAY = 1000;

/**
 * A process that cleans up after a server that was killed.
 *
 * The kernel does not do that by itself: a thread of the server that is inside a notification sleeps until a
 * request is answered, and cannot be killed meanwhile. As long as it lives, the server's descriptors stay
 * open. So nobody would learn that the server is gone, neither the clients in their page faults nor the
 * targets that it holds (measured on Linux 6.18). Aborting the connection from outside ends all of that.
 *
 * A watchdog that was killed is replaced. The next one gets the same orders.
 */
export class Watchdog implements AsyncDisposable {
  #child: ChildProcess;
  #isEnding = false;
  readonly #connections = new Map<number, WatchedConnection>();
  readonly #folders = new Set<string>();

  private constructor() {
    this.#child = this.#spawn();
  }

  /** Starts the process. */
  static start(): Watchdog {
    return new Watchdog();
  }

  #spawn(): ChildProcess {
    const file = fileURLToPath(import.meta.url).replace(/mod(\.[jt]s)$/, "main$1");
    const child = spawn(process.execPath, [file, String(process.pid)], {
      stdio: ["pipe", "ignore", "inherit"],
      // Not in the terminal's foreground group: its signals are for the server.
      detached: true,
      // Deno finds commands by `PATH` only.
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    const began = performance.now();
    for (const event of ["error", "exit"]) child.once(event, () => this.#replace(child, began));
    child.stdin!.on("error", () => {});
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    return child;
  }

  /** @param began When the child, which has ended, was started. */
  #replace(child: ChildProcess, began: number): void {
    const delay = performance.now() - began < RESTART_DELAY ? RESTART_DELAY : 0;
    setTimeout(() => {
      if (this.#isEnding || child !== this.#child) return;
      this.#child = this.#spawn();
      for (const connection of this.#connections.values()) {
        this.#tell({ kind: "watch", ...connection });
      }
      for (const folder of this.#folders) this.#tell({ kind: "remove", folder });
    }, delay).unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #tell(message: WatchdogMessage): void {
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /**
   * Has a connection aborted when this process dies.
   *
   * @param root A path to the mount that this process can see; in another process's mount namespace,
   * `/proc/PID/root/...`.
   * @param mount `directory`: the mount point to unmount, and `namespace`: its mount namespace.
   * @returns the connection's number.
   */
  async watch(root: string, mount: Omit<WatchedConnection, "connection"> = {}): Promise<number> {
    const connection = await connectionOf(root);
    const { directory, namespace } = mount;
    const watched = { connection, directory, namespace };
    this.#connections.set(connection, watched);
    this.#tell({ kind: "watch", ...watched });
    return connection;
  }

  /** The connection has ended. */
  forget(connection: number): void {
    this.#connections.delete(connection);
    this.#tell({ kind: "forget", connection });
  }

  /** Has a folder removed, with all that is in it, when this process dies. */
  remove(folder: string): void {
    this.#folders.add(folder);
    this.#tell({ kind: "remove", folder });
  }

  /** Ends {@linkcode remove}: the folder is gone, or no longer this process's. */
  keep(folder: string): void {
    this.#folders.delete(folder);
    this.#tell({ kind: "keep", folder });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.ref();
    this.#tell({ kind: "bye" });
    this.#child.stdin!.end();
    await ended;
  }
}

/**
 * The connection of a mount. The mount itself is not asked: a process that is killed while it waits for its
 * own answer never ends (measured on Linux 6.18), so its descriptors are never closed.
 */
async function connectionOf(root: string): Promise<number> {
  const [, pid, path] = root.match(/^\/proc\/(\d+)\/root(\/.*)$/) ?? [];
  const mountPoint = path ?? await realpath(root);
  const mounts = await readMountTable(pid ? Number(pid) : "self");
  const mount = mounts.findLast((mount) => mount.mountPoint === mountPoint);
  if (!mount) throw new Error(`Cannot watch ${root}: nothing is mounted there`);
  return mount.minor;
}
