/** A made-up kernel, and a server that answers it and writes a recording. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { abi, type Connection, decodeReply, serveDescriptor } from "../../src/fuse/mod.ts";
import { Writer } from "../../src/fuse/wire.ts";
import { Threads } from "../../src/base/threads.ts";
import { Device, KcovFilesystem, type Source } from "../../src/kcov/mod.ts";
import { Recorder } from "../../src/recording/recorder.ts";
import { witness } from "../../src/recording/witness.ts";
import { FakeDevice } from "../fuse/fake_device.ts";
import { fileHandle, nodeId, unique } from "../../src/fuse/ids.ts";
import { targetId, unitId } from "../../src/kcov/ids.ts";

const SOURCE: Source = {
  stop: () =>
    Promise.resolve([{ target: targetId(1), kind: "counts", pcs: Uint32Array.of(8, 16, 24) }]),
  release() {},
  unitOf: (target) => unitId(target),
  trace: () => Promise.resolve(),
  canCompare: () => true,
  canWrite: () => true,
};

/** The sender of a message, and the node. */
interface From {
  readonly nodeid: number;
  /** @default {this process} */
  readonly pid?: number;
}

export class RecordedKernel implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
  readonly path = join(this.folder, "recording");
  readonly #device = new FakeDevice();
  readonly #recorder = new Recorder(this.path, { warn: (line) => this.warnings.push(line) });
  readonly #kcov: Device;
  readonly #connection: Connection;
  readonly warnings: string[] = [];
  readonly #threads = new Threads();
  #unique = 0;

  constructor() {
    const seen = witness({
      source: SOURCE,
      callers: {
        find: (tid, onEnd) => this.#threads.find(tid, onEnd),
        nameOf: (tid) => this.#threads.nameOf(tid),
        readMemory: () => Promise.resolve(undefined),
      },
      targets: () => [{ name: "api", id: targetId(1), isAlive: true }],
      ioctl: undefined,
    }, this.#recorder);
    const own = { mode: 0o600, uid: 0, gid: 0, mounted: 1_700_000_000, socket: "/run/socket" };
    const sizes = { maxWrite: 65536, maxReadahead: 0 };
    this.#recorder.begin({ ...own, ...sizes, passthrough: false, files: ["targets"] });
    let kcov: Device | undefined;
    this.#connection = serveDescriptor(this.#device.fd, (connection) => {
      const { notifier } = connection;
      kcov = new Device(seen.source, {
        invalInode: (nodeid, range) => notifier.invalInode(nodeid, range),
        store: (nodeid, offset, data) => notifier.store(nodeid, offset, data),
        reads: 0,
      }, { callers: seen.callers });
      return new KcovFilesystem(kcov, {
        ...own,
        files: new Map([["targets", () => "none\n"]]),
        targets: seen.targets,
        read: () => connection.reads,
        backings: () => undefined,
        hasDirectMmap: () => false,
      });
    }, { ...sizes, tap: this.#recorder });
    this.#kcov = kcov!;
  }

  /** Sends a request, and waits for its reply. */
  async ask(
    opcode: keyof typeof abi.FUSE_OPCODE,
    { nodeid, pid = process.pid }: From,
    write: (writer: Writer) => void = () => {},
  ): Promise<Uint8Array> {
    const writer = new Writer();
    const number = this.#unique += 2;
    const header = {
      opcode: abi.FUSE_OPCODE[opcode],
      unique: unique(number),
      nodeid: nodeId(nodeid),
      uid: 0,
      gid: 0,
      pid,
    };
    abi.fuse_in_header.encode(writer, { ...header, len: 0, total_extlen: 0 });
    write(writer);
    const len = writer.length;
    abi.fuse_in_header.encode(writer.seek(0), { ...header, len, total_extlen: 0 });
    this.#device.send(Uint8Array.from(writer.seek(len).finish()));
    for (;;) {
      const message = await this.#device.receive();
      // A notification's number is 0.
      if (decodeReply(message, undefined).unique === number) return message;
    }
  }

  ioctl(nodeid: number, cmd: number, arg = 0n): Promise<Uint8Array> {
    return this.ask("IOCTL", { nodeid }, (writer) => {
      const size = cmd === 0x80086301 ? 8 : 0;
      const call = { fh: fileHandle(0), flags: 0, cmd, arg, in_size: 0, out_size: size };
      abi.fuse_ioctl_in.encode(writer, call);
    });
  }

  read(nodeid: number, range: { offset: number; size: number }): Promise<Uint8Array> {
    return this.ask("READ", { nodeid }, (writer) => {
      abi.fuse_read_in.encode(writer, { fh: fileHandle(1), ...range, read_flags: 0, flags: 0 });
    });
  }

  lookup(nodeid: number, name: string): Promise<Uint8Array> {
    return this.ask("LOOKUP", { nodeid }, (writer) => writer.text(`${name}\0`));
  }

  open(nodeid: number, flags = 0): Promise<Uint8Array> {
    const write = (writer: Writer) => abi.fuse_open_in.encode(writer, { flags, open_flags: 0 });
    return this.ask("OPEN", { nodeid }, write);
  }

  /** The requests of a client of `kcov`, from INIT to RELEASE. */
  async converse(): Promise<void> {
    await this.ask("INIT", { nodeid: nodeId(0) }, (writer) => {
      abi.fuse_init_in.encode(writer, { major: 7, minor: 45, max_readahead: 0, flags: 0 });
    });
    await this.lookup(abi.FUSE_ROOT_ID, "kcov");
    const node = 1001;
    await this.open(node, 2);
    for (const [cmd, arg] of [[0x80086301, 512n], [0x6364, 0n]] as const) {
      await this.ioctl(node, cmd, arg);
    }
    await this.read(node, { offset: 0, size: 4096 });
    await this.ioctl(node, 0x6365);
    await this.lookup(4, "api");
    await this.open(5);
    await this.read(5, { offset: 0, size: 4096 });
    await this.ask("RELEASE", { nodeid: nodeId(node) }, (writer) => {
      abi.fuse_release_in.encode(writer, {
        fh: fileHandle(0),
        flags: 2,
        release_flags: 0,
        lock_owner: 0n,
      });
    });
  }

  /** The recording's lines. */
  lines(): string[] {
    return readFileSync(this.path, "utf8").split("\n").filter(Boolean);
  }

  /** Writes the recording anew, with its lines changed. */
  rewrite(change: (line: string, index: number) => string): void {
    writeFileSync(this.path, this.lines().map((line, i) => `${change(line, i)}\n`).join(""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#device[Symbol.dispose]();
    await this.#connection.ended.catch(() => {});
    await this.#kcov[Symbol.asyncDispose]();
    await this.#threads[Symbol.asyncDispose]();
    this.#recorder[Symbol.dispose]();
    rmSync(this.folder, { recursive: true });
  }
}
