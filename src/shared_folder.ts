import * as fs from "node:fs";
import { readdir, rm, statfs } from "node:fs/promises";
import * as path from "node:path";
import { tryLock } from "./system_calls.ts";

/** Where the kernel keeps files in memory, on machines as they are commonly set up. */
const PLACES = ["/dev/shm", "/run"];
/** `TMPFS_MAGIC` of `include/uapi/linux/magic.h`. */
const TMPFS_MAGIC = 0x01021994;
const PREFIX = "kcovfs-shared-";
/** Any user may go through to a file that it was told of; only the owner lists and makes files. */
const MODE = 0o711;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * A folder in memory, of this process's own, for files that other processes map.
 *
 * It is locked while this process lives. So a folder that a killed server has left is told from one in
 * use, by whoever sees it, also in another pid namespace.
 */
export class SharedFolder implements AsyncDisposable {
  readonly path: string;
  readonly #lock: number;
  #isOpen = true;

  private constructor(path: string, lock: number) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the folder, and removes what killed processes of the same user have left beside it.
   *
   * @param places The folders it may be in; it is in the first that is a tmpfs.
   * @throws when none of them is.
   */
  static async make(places: readonly string[] = PLACES): Promise<SharedFolder> {
    for (const place of places) {
      if (!(await isInMemory(place))) continue;
      await removeAbandoned(place);
      for (;;) {
        const folder = fs.mkdtempSync(path.join(place, PREFIX));
        const lock = lockFolder(folder);
        // Another server that starts may have taken it for abandoned before it was locked.
        if (lock === undefined) continue;
        fs.chmodSync(folder, MODE);
        return new SharedFolder(folder, lock);
      }
    }
    throw new Error(`Cannot share memory: there is no tmpfs on ${places.join(" or ")}`);
  }

  /** Removes it and what is in it; memory that is mapped lives until its last mapping ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await rm(this.path, { recursive: true, force: true });
    fs.closeSync(this.#lock);
  }
}

async function isInMemory(place: string): Promise<boolean> {
  const stats = await statfs(place).catch(() => undefined);
  return stats?.type === TMPFS_MAGIC;
}

/** Locks a folder and returns the descriptor that keeps the lock; undefined where that is not ours. */
function lockFolder(folder: string): number | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return undefined;
  }
  const { uid, mode } = fs.fstatSync(fd);
  // Places are writable by all: what another user made there is not to be trusted with a removal by root.
  const isOurs = uid === process.geteuid!() && (mode & WRITABLE_BY_OTHERS) === 0;
  if (isOurs && tryLock(fd) && fs.existsSync(folder)) return fd;
  fs.closeSync(fd);
  return undefined;
}

async function removeAbandoned(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = path.join(place, name);
    const lock = lockFolder(folder);
    if (lock === undefined) continue;
    try {
      await rm(folder, { recursive: true, force: true });
    } finally {
      fs.closeSync(lock);
    }
  }
}
