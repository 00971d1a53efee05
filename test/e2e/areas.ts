/** A filesystem with one file. Whoever maps it gets another file in memory. It knows nothing of kcov. */
import { readSync } from "node:fs";
import { join } from "node:path";
import { abi, type Connection, Errno, type Filesystem } from "../../src/fuse/mod.ts";
import { SharedFile } from "../../src/base/shared_file.ts";
import { fileHandle, nodeId } from "../../src/fuse/ids.ts";

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const NAME = "area";
/** `_IOR('c', 1, unsigned long)`: gives the area so many words. */
const SET_SIZE = 0x80086301;

interface Area {
  readonly file: SharedFile;
  readonly id: number;
  /** In bytes; 0 before SET_SIZE. */
  size: number;
}

/** `area`: each lookup, and so each opening by name, gives another file. */
export class Areas implements Filesystem {
  readonly #folder: string;
  readonly #connection: Connection;
  readonly #areas = new Map<number, Area>();
  /** The flags of the answer to OPEN besides FOPEN_PASSTHROUGH. */
  readonly #flags: number;
  /** The kernel's messages about areas: `"OPEN 2"`, for node 2. */
  readonly heard: string[] = [];
  #nextNode = 2;

  /** @param options `folder`: the folder of the backing files, which have the numbers of their nodes. */
  constructor(connection: Connection, options: { folder: string; flags: number }) {
    this.#connection = connection;
    this.#folder = options.folder;
    this.#flags = options.flags;
  }

  /** The backing file of a node that was opened. */
  fileOf(nodeid: number): SharedFile {
    return this.#areas.get(nodeid)!.file;
  }

  #attributes(nodeid: number): abi.FuseAttr {
    const mode = nodeid === abi.FUSE_ROOT_ID ? S_IFDIR | 0o755 : S_IFREG | 0o600;
    return {
      ...{ ino: nodeid, size: this.#areas.get(nodeid)?.size ?? 0, mode, blocks: 0, blksize: 4096 },
      ...{ flags: 0, nlink: 1, uid: 0, gid: 0, rdev: 0 },
      ...{ atime: 0, mtime: 0, ctime: 0, atimensec: 0, mtimensec: 0, ctimensec: 0 },
    };
  }

  lookup(_request: unknown, name: string): abi.FuseEntryOut {
    if (name !== NAME) throw new Errno("ENOENT");
    const nodeid = this.#nextNode++;
    return {
      ...{ nodeid: nodeId(nodeid), generation: 0, attr: this.#attributes(nodeid) },
      ...{ entry_valid: 0, entry_valid_nsec: 0, attr_valid: 0, attr_valid_nsec: 0 },
    };
  }

  getattr({ nodeid }: { nodeid: number }): abi.FuseAttrOut {
    return { attr_valid: 0, attr_valid_nsec: 0, attr: this.#attributes(nodeid) };
  }

  open({ nodeid }: { nodeid: number }): abi.FuseOpenOut {
    this.heard.push(`OPEN ${nodeid}`);
    const options = { mode: 0o600, uid: 0, gid: 0 };
    const file = this.#areas.get(nodeid)?.file ??
      new SharedFile(join(this.#folder, String(nodeid)), options);
    // If the file is opened again, another id for the same file: the kernel must refuse that.
    const id = this.#connection.backings!.open(file.fd);
    this.#areas.set(nodeid, { size: 0, ...this.#areas.get(nodeid), file, id });
    return { fh: fileHandle(0), open_flags: abi.FOPEN_PASSTHROUGH | this.#flags, backing_id: id };
  }

  ioctl({ nodeid }: { nodeid: number }, { cmd, arg }: { cmd: number; arg: bigint }) {
    if (cmd !== SET_SIZE) throw new Errno("ENOTTY");
    const area = this.#areas.get(nodeid)!;
    area.size = Number(arg) * 8;
    area.file.grow(area.size);
    return { result: 0 };
  }

  read({ nodeid }: { nodeid: number }, { offset, size }: { offset: number; size: number }) {
    this.heard.push(`READ ${nodeid}`);
    const area = this.#areas.get(nodeid)!;
    if (area.size === 0) throw new Errno("EINVAL");
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readSync(area.file.fd, bytes, 0, size, offset));
  }

  write({ nodeid }: { nodeid: number }): { size: number } {
    this.heard.push(`WRITE ${nodeid}`);
    throw new Errno("EINVAL");
  }

  release({ nodeid }: { nodeid: number }): void {
    this.heard.push(`RELEASE ${nodeid}`);
    this.#connection.backings!.close(this.#areas.get(nodeid)!.id);
    // Without its name, the node goes as soon as nothing refers to it.
    this.#connection.notifier.invalEntry(abi.FUSE_ROOT_ID, NAME);
  }

  forget(nodeid: number): void {
    const area = this.#areas.get(nodeid);
    if (!area) return;
    this.heard.push(`FORGET ${nodeid}`);
    this.#areas.delete(nodeid);
    area.file[Symbol.dispose]();
  }

  destroy(): void {
    for (const { file } of this.#areas.values()) file[Symbol.dispose]();
    this.#areas.clear();
  }
}
