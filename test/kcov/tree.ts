/** The mounted tree without a mount, with requests as the kernel makes them. */
import { constants } from "node:fs";
import { abi, type Request } from "../../src/fuse/mod.ts";
import { KcovFilesystem, type NamedTarget, type TreeOptions } from "../../src/kcov/mod.ts";
import { DeviceWorld } from "./device_world.ts";
import { nodeId, unique } from "../../src/fuse/ids.ts";

const ROOT = abi.FUSE_ROOT_ID;

export class Tree implements AsyncDisposable {
  readonly world: DeviceWorld;
  readonly subject: KcovFilesystem;
  /** The targets of `kcov.d/`. */
  targets: NamedTarget[] = [];
  #unique = 2;

  constructor(options: Partial<TreeOptions> = {}, world = new DeviceWorld()) {
    this.world = world;
    const files = new Map([["targets", () => "none\n"], ["symbols", () => "0x8\n"]]);
    const own = { mode: 0o640, uid: 1000, gid: 1001, socket: "/run/kcovfs/socket" };
    const read = () => this.world.cache.reads;
    const targets = () => this.targets;
    const backings = () => undefined;
    const hasDirectMmap = () => false;
    const tree = { ...own, files, read, targets, backings, hasDirectMmap, ...options };
    this.subject = new KcovFilesystem(this.world.device, tree);
  }

  request(nodeid: number, pid = process.pid): Request {
    const { signal } = new AbortController();
    return { unique: unique(this.#unique++), nodeid: nodeId(nodeid), uid: 0, gid: 0, pid, signal };
  }

  lookup(name: string, parent: number = ROOT): abi.FuseEntryOut {
    return this.subject.lookup(this.request(parent), name);
  }

  /** Looks up a path below the root. */
  walk(path: string): abi.FuseEntryOut {
    const [first, ...rest] = path.split("/");
    return rest.reduce((entry, name) => this.lookup(name, entry.nodeid), this.lookup(first));
  }

  getattr(nodeid: number, getattr_flags = 0): abi.FuseAttrOut {
    return this.subject.getattr(this.request(nodeid), { getattr_flags });
  }

  setattr(nodeid: number, input: { valid: number; size?: bigint }): abi.FuseAttrOut {
    return this.subject.setattr(this.request(nodeid), { size: 0n, ...input });
  }

  open(nodeid: number, flags = constants.O_RDWR): Promise<abi.FuseOpenOut> {
    return this.subject.open(this.request(nodeid), { flags });
  }

  /** Opens `kcov` as a process does. */
  async openKcov(): Promise<number> {
    const { nodeid } = this.lookup("kcov");
    await this.open(nodeid);
    return nodeid;
  }

  ioctl(nodeid: number, cmd: number, arg = 0n): Promise<{ result: number }> {
    return this.subject.ioctl(this.request(nodeid), { cmd, arg });
  }

  initialize(nodeid: number, words = 512n): Promise<{ result: number }> {
    return this.ioctl(nodeid, 0x80086301, words);
  }

  /** The names in a directory, read in pieces of so many bytes. */
  list(nodeid: number, size: number): { name: string; ino: number; type: number }[] {
    const found = [];
    for (;;) {
      const offset = found.length;
      const bytes = this.subject.readdir(this.request(nodeid), { offset, size });
      if (bytes.length === 0) return found;
      found.push(...direntsOf(bytes));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** Entries of READDIR's answer: inode, offset, length and type, then the name, padded to 8 bytes. */
function direntsOf(bytes: Uint8Array): { name: string; ino: number; type: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at + 16, true);
    const name = Buffer.from(bytes.subarray(at + 24, at + 24 + length)).toString();
    const ino = Number(view.getBigUint64(at, true));
    found.push({ name, ino, type: view.getUint32(at + 20, true) << 12 });
    at += (24 + length + 7) & ~7;
  }
  return found;
}
