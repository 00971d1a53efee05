import { constants } from "node:fs";
import {
  abi,
  type Backings,
  type Dirent,
  Errno,
  type ErrnoName,
  type FileHandle,
  fileHandle,
  type Filesystem,
  type NodeId,
  nodeId,
  packDirents,
  packDirentsPlus,
  type Request,
} from "../fuse/mod.ts";
import type { Device } from "./device.ts";
import { type AreaFile, type Instance, Refusal } from "./instance.ts";
import { type NamedTarget, TargetFiles } from "./target_files.ts";
import { threadId } from "../base/thread_id.ts";

export interface TreeOptions {
  /** Permission bits and owner of `kcov` and of the files about it. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Text files in `kcovfs/`, made when they are opened. */
  readonly files: ReadonlyMap<string, () => string | Promise<string>>;
  /** The targets that may have files in `kcov.d/`. */
  readonly targets: () => readonly NamedTarget[];
  /** The path that `kcovfs/socket` points to. */
  readonly socket: string;
  /** Puts files behind those of instances, if areas are files. */
  readonly backings: () => Backings | undefined;
  /** Whether files that bypass the page cache can be mapped; see `Session.hasDirectMmap`. */
  readonly hasDirectMmap: () => boolean;
  /** Called when the connection's features are known. */
  readonly onInit?: () => void;
  /** The number of the device read that brought the present message; see `Area.write`. */
  readonly read: () => number;
  /** The time of all files, in seconds since 1970. @default {now} */
  readonly mounted?: number;
}

/** A file or directory that is always in the tree. */
interface FixedEntry extends Dirent {
  readonly ino: NodeId;
  /** The node id of its directory; 0 for the root. */
  readonly parent: NodeId;
  /** For a text file: makes its text. */
  readonly content?: () => string | Promise<string>;
}

const DIRECTORY = nodeId(abi.FUSE_ROOT_ID + 1);
/** The node id of `kcovfs/socket`. */
const SOCKET = nodeId(DIRECTORY + 1);
/** The node id of `kcov.d/`. */
const KCOV_D = nodeId(SOCKET + 1);
const FIRST_FILE = KCOV_D + 1;
/** For files that need no handle. */
const NO_HANDLE = fileHandle(0);
/** The parent of the root. */
const NOWHERE = nodeId(0);
/** The inode number that `stat` shows for `kcov`, whatever the node id. */
const KCOV_INO = 1000;
/** The first node id of instances' inodes; each open has one. */
export const FIRST_INSTANCE = 1001;
/** Seconds for which the kernel may keep attributes and names that never change. */
const LONG = 1 << 30;

/**
 * The mounted tree: `kcov`, `kcov.d/` with a file for each target, and `kcovfs/` with facts about them.
 *
 * One page cache belongs to one inode. So each LOOKUP of `kcov` or of a target's file is answered with a new
 * inode, and the kernel may not remember its name: each `open` gets an inode, and so an area, of its own.
 */
export class KcovFilesystem implements Filesystem {
  readonly #device: Device;
  readonly #options: TreeOptions;
  readonly #entries: ReadonlyMap<NodeId, FixedEntry>;
  readonly #targets: TargetFiles;
  /** Contents of open text files. */
  readonly #opened = new Map<FileHandle, Uint8Array>();
  readonly #mounted: number;
  #nextInstance = FIRST_INSTANCE;
  #nextHandle = 1;

  constructor(device: Device, options: TreeOptions) {
    this.#device = device;
    this.#options = options;
    this.#mounted = options.mounted ?? Math.floor(Date.now() / 1000);
    this.#entries = fixedEntries(options);
    this.#targets = new TargetFiles(options.targets, device);
  }

  /** @throws {Errno} ESTALE for a node that the kernel was never told of. */
  #check(nodeid: NodeId): void {
    const isTold = nodeid >= FIRST_INSTANCE && nodeid < this.#nextInstance;
    if (!isTold && !this.#entries.has(nodeid)) throw new Errno("ESTALE");
  }

  #attributes(nodeid: NodeId): abi.FuseAttr {
    const entry = this.#entries.get(nodeid);
    const isShared = entry === undefined || entry.content !== undefined;
    return {
      ino: entry?.ino ?? this.#targets.inoOf(nodeid) ?? KCOV_INO,
      size: entry ? 0 : this.#device.find(nodeid)?.area?.size ?? 0,
      blocks: 0,
      ...{ atime: this.#mounted, mtime: this.#mounted, ctime: this.#mounted },
      ...{ atimensec: 0, mtimensec: 0, ctimensec: 0 },
      mode: entry?.mode ?? (constants.S_IFREG | this.#options.mode),
      nlink: 1,
      uid: isShared ? this.#options.uid : 0,
      gid: isShared ? this.#options.gid : 0,
      rdev: 0,
      blksize: 4096,
      flags: 0,
    };
  }

  /** @param valid Seconds for which the kernel may remember name and attributes. */
  #entryOut(nodeid: NodeId, valid: number): abi.FuseEntryOut {
    return {
      nodeid,
      generation: 0,
      ...{ entry_valid: valid, attr_valid: valid, entry_valid_nsec: 0, attr_valid_nsec: 0 },
      attr: this.#attributes(nodeid),
    };
  }

  lookup(request: Request, name: string): abi.FuseEntryOut {
    if (request.nodeid === abi.FUSE_ROOT_ID && name === "kcov") {
      return this.#entryOut(nodeId(this.#nextInstance++), 0);
    }
    if (request.nodeid === KCOV_D) return this.#lookupTarget(name);
    for (const entry of this.#entries.values()) {
      if (entry.parent === request.nodeid && entry.name === name) {
        return this.#entryOut(entry.ino, LONG);
      }
    }
    throw new Errno("ENOENT");
  }

  #lookupTarget(name: string): abi.FuseEntryOut {
    const target = this.#targets.find(name);
    if (!target) throw new Errno("ENOENT");
    const nodeid = nodeId(this.#nextInstance++);
    this.#targets.add(nodeid, target);
    return this.#entryOut(nodeid, 0);
  }

  forget(nodeid: NodeId): void {
    this.#targets.forget(nodeid);
  }

  /**
   * The attributes of an uninitialised instance are never remembered. The kernel would answer read(2) on it
   * by its size of 0 alone; so it asks first (and only read(2) names the file handle).
   */
  getattr(request: Request, input: { getattr_flags: number }): abi.FuseAttrOut {
    this.#check(request.nodeid);
    const instance = this.#device.find(request.nodeid);
    const isUninitialized = !this.#entries.has(request.nodeid) && !instance?.area;
    const isRead = (input.getattr_flags & abi.FUSE_GETATTR_FH) !== 0;
    if (isUninitialized && isRead && instance) throw new Errno("EINVAL");
    return {
      attr_valid: isUninitialized ? 0 : LONG,
      attr_valid_nsec: 0,
      attr: this.#attributes(request.nodeid),
    };
  }

  setattr(request: Request, input: { valid: number; size: bigint }): abi.FuseAttrOut {
    this.#check(request.nodeid);
    const changes = abi.FATTR_MODE | abi.FATTR_UID | abi.FATTR_GID;
    if (input.valid & changes) throw new Errno("EPERM");
    const { size } = this.#attributes(request.nodeid);
    const resizes = (input.valid & abi.FATTR_SIZE) !== 0 && input.size !== BigInt(size);
    if (resizes) throw new Errno("EINVAL");
    return this.getattr(request, { getattr_flags: 0 });
  }

  readlink(request: Request): string {
    if (request.nodeid !== SOCKET) throw new Errno("EINVAL");
    return this.#options.socket;
  }

  access(): void {}

  /** There are no blocks, as of a disk, and no file can be added. */
  statfs() {
    const files = this.#entries.size + 1 + this.#targets.list().length;
    return {
      ...{ blocks: 0, bfree: 0, bavail: 0, files, ffree: 0 },
      ...{ bsize: 4096, namelen: 255, frsize: 4096 },
    };
  }

  /**
   * Refused as in debugfs: its directories have no operation for it (`vfs_mkdir` and others in
   * `fs/namei.c`).
   */
  change(): never {
    throw new Errno("EPERM");
  }

  opendir(request: Request): abi.FuseOpenOut {
    this.#directory(request.nodeid);
    return { fh: NO_HANDLE, open_flags: abi.FOPEN_KEEP_CACHE };
  }

  /** @throws {Errno} ESTALE, or ENOTDIR for a node that is no directory. */
  #directory(nodeid: NodeId): FixedEntry {
    this.#check(nodeid);
    const entry = this.#entries.get(nodeid);
    if (!entry || (entry.mode & constants.S_IFMT) !== constants.S_IFDIR) throw new Errno("ENOTDIR");
    return entry;
  }

  #list(nodeid: NodeId): Dirent[] {
    const { parent } = this.#directory(nodeid);
    const directory = constants.S_IFDIR;
    const found: Dirent[] = [
      { name: ".", ino: nodeid, mode: directory },
      { name: "..", ino: parent || nodeid, mode: directory },
    ];
    if (nodeid === abi.FUSE_ROOT_ID) {
      found.push({ name: "kcov", ino: KCOV_INO, mode: constants.S_IFREG });
    }
    for (const entry of this.#entries.values()) if (entry.parent === nodeid) found.push(entry);
    if (nodeid === KCOV_D) { for (const entry of this.#targets.list()) found.push(entry); }
    return found;
  }

  readdir(request: Request, input: { offset: number; size: number }): Uint8Array {
    return packDirents(this.#list(request.nodeid), input);
  }

  readdirplus(request: Request, input: { offset: number; size: number }): Uint8Array {
    // A listing does not look up `.`, `..` and instances: node id 0 says so.
    const lookup = (entry: Dirent) => {
      const isPlain = entry.name !== "." && entry.name !== ".." &&
        this.#entries.has(nodeId(entry.ino));
      if (isPlain) return this.#entryOut(nodeId(entry.ino), LONG);
      return { ...this.#entryOut(request.nodeid, 0), nodeid: NOWHERE };
    };
    return packDirentsPlus(this.#list(request.nodeid), { ...input, lookup });
  }

  releasedir(): void {}

  async open(request: Request, input: { flags: number }): Promise<abi.FuseOpenOut> {
    this.#check(request.nodeid);
    const entry = this.#entries.get(request.nodeid);
    if (!entry) return this.#openInstance(request);
    if (!entry.content || (input.flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0) {
      throw new Errno("EACCES");
    }
    const fh = fileHandle(this.#nextHandle++);
    this.#opened.set(fh, Buffer.from(await entry.content()));
    // The size is not known before it is opened: with FOPEN_DIRECT_IO the kernel does not need it.
    return { fh, open_flags: abi.FOPEN_DIRECT_IO };
  }

  /** If the inode is open already, it was opened anew through `/proc/PID/fd`: it cannot have two areas. */
  #openInstance({ nodeid, pid }: Request): abi.FuseOpenOut {
    if (this.#device.find(nodeid)) throw new Errno("EBUSY");
    const scope = this.#targets.scopeOf(nodeid);
    const instance = this.#refusing(() => this.#device.open(nodeid, { scope, tid: threadId(pid) }));
    if (instance.file) return this.#openPassthrough(instance, instance.file);
    // Past the cache, write(2) reaches us before it has changed memory that others have mapped.
    const past = this.#options.hasDirectMmap() ? abi.FOPEN_DIRECT_IO : 0;
    return { fh: NO_HANDLE, open_flags: abi.FOPEN_KEEP_CACHE | past };
  }

  /** Makes the kernel put an instance's file behind its inode. */
  #openPassthrough(instance: Instance, file: AreaFile): abi.FuseOpenOut {
    const backings = this.#options.backings();
    try {
      if (!backings) throw new Errno("EIO");
      instance.backing = backings.open(file.fd);
    } catch (error) {
      // No RELEASE follows an open that fails.
      this.#device.release(instance.id);
      throw error;
    }
    // We still answer read(2), to refuse it before KCOV_INIT_TRACE.
    const flags = abi.FOPEN_PASSTHROUGH | abi.FOPEN_DIRECT_IO;
    return { fh: NO_HANDLE, open_flags: flags, backing_id: instance.backing };
  }

  release(request: Request, input: { fh: FileHandle }): void {
    const { nodeid } = request;
    if (this.#entries.has(nodeid)) {
      this.#opened.delete(input.fh);
      return;
    }
    const instance = this.#device.find(nodeid);
    if (!instance) throw new Errno("EBADF");
    if (instance.backing !== undefined) this.#options.backings()?.close(instance.backing);
    this.#device.release(nodeid);
  }

  init(): void {
    this.#options.onInit?.();
  }

  flush(): void {}

  fsync(): void {}

  read(
    request: Request,
    input: { fh: FileHandle; offset: number; size: number; read_flags: number },
  ): Uint8Array | Promise<Uint8Array> {
    this.#check(request.nodeid);
    const opened = this.#opened.get(input.fh);
    if (this.#entries.has(request.nodeid)) {
      return opened?.subarray(input.offset, input.offset + input.size) ?? new Uint8Array(0);
    }
    const { offset, size } = input;
    const isCall = (input.read_flags & abi.FUSE_READ_LOCKOWNER) !== 0;
    return this.#refusing(() => this.#device.read(request.nodeid, { offset, size, isCall }));
  }

  write(
    request: Request,
    input: { offset: number; size: number; write_flags: number; data: Uint8Array },
  ): { size: number } {
    this.#check(request.nodeid);
    if (this.#entries.has(request.nodeid)) throw new Errno("EACCES");
    // write(2) does nothing on the kernel's device, which has no such operation.
    if ((input.write_flags & abi.FUSE_WRITE_CACHE) === 0) throw new Errno("EINVAL");
    const { offset, data: bytes } = input;
    this.#device.write(request.nodeid, { offset, bytes, read: this.#options.read() });
    return { size: input.size };
  }

  async ioctl(
    request: Request,
    input: { cmd: number; arg: bigint; data?: Uint8Array },
  ): Promise<{ result: number }> {
    this.#check(request.nodeid);
    if (this.#entries.has(request.nodeid)) throw new Errno("ENOTTY");
    const { cmd, arg } = input;
    // A copy: the message's bytes are gone when the instance's earlier ioctls are done.
    const data = Uint8Array.from(input.data ?? []);
    const result = await this.#refusing(() =>
      this.#device.ioctl(request.nodeid, { cmd, arg, data, tid: threadId(request.pid) })
    );
    return { result };
  }

  #refusing<T>(call: () => T): T {
    const refuse = (error: unknown): never => {
      throw error instanceof Refusal ? new Errno(error.message as ErrnoName) : error;
    };
    try {
      const answer = call();
      return answer instanceof Promise ? answer.catch(refuse) as T : answer;
    } catch (error) {
      return refuse(error);
    }
  }
}

/** The root, `kcov.d/`, and `kcovfs/` with its files, by node ids, which are inode numbers, too. */
function fixedEntries(options: Pick<TreeOptions, "mode" | "files">): Map<NodeId, FixedEntry> {
  const entries = new Map<NodeId, FixedEntry>();
  const add = (ino: NodeId, entry: Omit<FixedEntry, "ino">) => entries.set(ino, { ino, ...entry });
  const directory = constants.S_IFDIR | 0o755;
  add(abi.FUSE_ROOT_ID, { name: "/", parent: NOWHERE, mode: directory });
  add(DIRECTORY, { name: "kcovfs", parent: abi.FUSE_ROOT_ID, mode: directory });
  add(KCOV_D, { name: "kcov.d", parent: abi.FUSE_ROOT_ID, mode: directory });
  add(SOCKET, { name: "socket", parent: DIRECTORY, mode: constants.S_IFLNK | 0o777 });
  let ino: number = FIRST_FILE;
  const mode = constants.S_IFREG | (options.mode & 0o444);
  for (const [name, content] of options.files) {
    add(nodeId(ino++), { name, parent: DIRECTORY, mode, content });
  }
  return entries;
}
