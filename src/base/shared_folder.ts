import { chmodSync } from "node:fs";
import { statfs } from "node:fs/promises";
import * as path from "node:path";
import { type FolderKind, LockedFolder, removeAbandoned } from "./locked_folder.ts";
import { UserError } from "./user_error.ts";

/** Places where machines usually keep files in memory. */
export const SHARED_PLACES: readonly string[] = ["/dev/shm", "/run"];
/** `TMPFS_MAGIC` of `include/uapi/linux/magic.h`. */
const TMPFS_MAGIC = 0x01021994;
const PREFIX = "kcovfs-shared-";
/** The folders of servers in such a place. */
export const SHARED_FOLDERS: FolderKind = { name: new RegExp(`^${PREFIX}`) };
/** Any user may go through to a file whose path it knows; only the owner lists and makes files. */
const MODE = 0o711;

/** A folder in memory, of this process's own, for files that other processes map. */
export class SharedFolder implements AsyncDisposable {
  readonly #folder: LockedFolder;

  private constructor(folder: LockedFolder) {
    this.#folder = folder;
  }

  get path(): string {
    return this.#folder.path;
  }

  /**
   * Makes the folder, and removes those that killed processes of the same user have left beside it.
   *
   * @param places The folders it may be in; it is in the first that is a tmpfs.
   * @throws when none of them is a tmpfs, or that one is full.
   */
  static async make(
    places: readonly string[] = SHARED_PLACES,
  ): Promise<SharedFolder> {
    for (const place of places) {
      if (!(await isInMemory(place))) continue;
      await removeAbandoned(place, SHARED_FOLDERS);
      const folder = orFull(
        place,
        () => LockedFolder.make(path.join(place, PREFIX)),
        "Cannot share memory: ",
      );
      chmodSync(folder.path, MODE);
      return new SharedFolder(folder);
    }
    throw new UserError(`Cannot share memory: there is no tmpfs on ${places.join(" or ")}`);
  }

  /** Removes the folder and all that is in it; memory that is mapped lives until its last mapping ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

async function isInMemory(place: string): Promise<boolean> {
  const stats = await statfs(place).catch(() => undefined);
  return stats?.type === TMPFS_MAGIC;
}

/**
 * Does work that takes memory of a tmpfs. If none is left, the error says which tmpfs is full and how to make
 * it larger.
 *
 * @param what The beginning of the error's message.
 * @throws ENOSPC, as `code`, then.
 */
export function orFull<T>(place: string, work: () => T, what = ""): T {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    const remedy =
      `run 'mount -o remount,size=1g ${place}'; in a container: start it with --shm-size=1g`;
    const message = `${what}${place} is full; ${remedy}`;
    throw Object.assign(new UserError(message, { cause: error }), { code: "ENOSPC" });
  }
}
