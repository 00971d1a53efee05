import * as fs from "node:fs";
import { readdir, rm } from "node:fs/promises";
import * as path from "node:path";
import { tryLock } from "./system_calls.ts";

const WRITABLE_BY_OTHERS = 0o022;
/** Attempts to make a folder: others may take it for abandoned before it is locked. */
const MOST_ATTEMPTS = 100;

/** Selects the folders of a place for removal. */
export interface FolderKind {
  /** Matches the names of the folders. */
  readonly name: RegExp;
  /** Tells whether a folder is in use by somebody who does not lock it. @default nobody does */
  readonly isInUse?: (folder: string) => Promise<boolean>;
}

/**
 * A folder of this process's own that is locked (`flock(2)`) while the process lives.
 *
 * The lock tells a folder in use from one whose process was killed. It holds across pid namespaces, where
 * process ids say nothing.
 */
export class LockedFolder implements AsyncDisposable {
  readonly path: string;
  readonly #lock: number;
  #isOpen = true;

  private constructor(path: string, lock: number) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes a folder that only its owner can use, whatever the umask.
   *
   * @param prefix The beginning of its path.
   * @throws when it cannot be made or locked.
   */
  static make(prefix: string): LockedFolder {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const folder = fs.mkdtempSync(prefix);
      const lock = whereItIs(() => {
        fs.chmodSync(folder, 0o700);
        return lockFolder(folder);
      });
      // Another process may have taken it for abandoned before it was locked.
      if (lock !== undefined) return new LockedFolder(folder, lock);
    }
    throw new Error(
      `Cannot make a folder ${prefix}...: each is taken away again`,
    );
  }

  /** Removes the folder and all that is in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await rm(this.path, { recursive: true, force: true });
    fs.closeSync(this.#lock);
  }
}

/** Removes the folders that killed processes of the same user have left in a place, where possible. */
export async function removeAbandoned(
  place: string,
  kind: FolderKind,
): Promise<void> {
  for await (const folder of abandoned(place, kind)) {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Finds the folders that killed processes of the same user have left in a place. */
export async function findAbandoned(
  place: string,
  kind: FolderKind,
): Promise<string[]> {
  const found: string[] = [];
  for await (const folder of abandoned(place, kind)) found.push(folder);
  return found;
}

/** Each folder stays locked until the next one is asked for, so that nobody else removes it meanwhile. */
async function* abandoned(
  place: string,
  kind: FolderKind,
): AsyncGenerator<string> {
  for (const name of await readdir(place).catch(() => [])) {
    if (!kind.name.test(name)) continue;
    const folder = path.join(place, name);
    const lock = lockFolder(folder);
    if (lock === undefined) continue;
    try {
      if (!await kind.isInUse?.(folder)) yield folder;
    } finally {
      fs.closeSync(lock);
    }
  }
}

/**
 * Locks a folder and returns the descriptor that keeps the lock; undefined where it is not ours, or gone.
 *
 * @throws {SystemCallError} where nothing can be locked.
 */
function lockFolder(folder: string): number | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch {
    return undefined;
  }
  let isLocked = false;
  try {
    const { uid, mode, ino } = fs.fstatSync(fd);
    // Places may be writable by all: root must not trust another user's folder with a removal.
    const isOurs = uid === process.geteuid!() &&
      (mode & WRITABLE_BY_OTHERS) === 0;
    isLocked = isOurs && tryLock(fd) &&
      whereItIs(() => fs.lstatSync(folder).ino) === ino;
    return isLocked ? fd : undefined;
  } finally {
    if (!isLocked) fs.closeSync(fd);
  }
}

/** Undefined where the file does not exist any more. */
function whereItIs<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
