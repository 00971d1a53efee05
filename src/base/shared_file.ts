import * as fs from "node:fs";
import { dirname } from "node:path";
import { reserve } from "./system_calls.ts";
import { orFull } from "./shared_folder.ts";

/** Bytes at the start of a file that have memory from the beginning. */
const RESERVED = 16 * 1024 * 1024;

/** The permission bits and the owner of a file: they decide who may map it. */
export interface SharedFileOptions {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * A file in memory that other processes map: targets by its path, and clients through a file of a mount that
 * it backs.
 *
 * Beyond the first 16 MiB it is sparse: memory follows the pages that are written, not the size. When the
 * tmpfs is full, a process that writes to a page without memory is ended by SIGBUS.
 */
export class SharedFile implements Disposable {
  readonly path: string;
  /** Open for reading and writing until the file is disposed of. */
  readonly fd: number;
  #size = 0;
  #isOpen = true;

  /**
   * Makes an empty file.
   *
   * @param path In a {@linkcode SharedFolder}.
   * @throws EEXIST when there is one already.
   */
  constructor(path: string, options: SharedFileOptions) {
    this.path = path;
    this.fd = orFull(placeOf(path), () => create(path, options));
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Makes the file longer, by zeros. It is never made shorter: SIGBUS would end processes that have mapped the
   * part that is cut off.
   *
   * @param bytes The new size.
   * @throws ENOSPC, as `code`, when there is no memory for its beginning.
   */
  grow(bytes: number): void {
    if (bytes < this.#size) {
      throw new RangeError(`Cannot grow ${this.path} to ${bytes} bytes: it has ${this.#size}`);
    }
    fs.ftruncateSync(this.fd, bytes);
    if (this.#size < RESERVED && bytes > 0) {
      this.reserve({ from: 0, bytes: Math.min(bytes, RESERVED) });
    }
    this.#size = bytes;
  }

  /**
   * Makes the file longer, by zeros, all of it sparse: {@linkcode reserve} the parts that will be written.
   *
   * @param bytes The new size.
   */
  extend(bytes: number): void {
    fs.ftruncateSync(this.fd, bytes);
    this.#size = bytes;
  }

  /**
   * Takes memory for a part of the file, so that SIGBUS ends nobody who writes there.
   *
   * @throws ENOSPC, as `code`, when there is not that much.
   */
  reserve({ from, bytes }: { from: number; bytes: number }): void {
    orFull(placeOf(this.path), () => reserve(this.fd, bytes, from));
  }

  /** Removes the file; mappings of other processes live on. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    fs.rmSync(this.path, { force: true });
    fs.closeSync(this.fd);
  }
}

function create(path: string, { mode, uid, gid }: SharedFileOptions): number {
  const fd = fs.openSync(path, "wx+", 0o600);
  // `open` has applied the umask.
  fs.fchmodSync(fd, mode);
  fs.fchownSync(fd, uid, gid);
  return fd;
}

/**
 * Makes a file in memory that other processes map and this one does not. It has so many bytes, all zeros, and
 * memory for all of them.
 *
 * @throws ENOSPC, as `code`, when there is not that much; then there is no file.
 */
export function makeSharedFile(
  path: string,
  { bytes, ...options }: SharedFileOptions & { readonly bytes: number },
): void {
  const fd = orFull(placeOf(path), () => create(path, options));
  try {
    fs.ftruncateSync(fd, bytes);
    orFull(placeOf(path), () => reserve(fd, bytes));
  } catch (error) {
    fs.rmSync(path, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** The place of the {@linkcode SharedFolder} that a file is in. */
function placeOf(path: string): string {
  return dirname(dirname(path));
}
