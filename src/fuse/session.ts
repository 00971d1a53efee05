import { inspect } from "node:util";
import * as abi from "./abi.ts";
import { Errno } from "./errno.ts";
import { formatReply, formatRequest } from "./format.ts";
import {
  type Filesystem,
  type InitIn,
  type Operation,
  OPERATION_BY_OPCODE,
  type Request,
} from "./operations.ts";
import { type Decoded, LargeValueError, Reader, WireError, Writer } from "./wire.ts";
import type { NodeId, Unique } from "./ids.ts";

/** Takes a session's debug lines; `enabled` is asked before a line is formatted. */
export interface Log {
  readonly enabled: boolean;
  (line: string): void;
}

/** The settings of a session, and its ways out. */
export interface SessionOptions {
  /** Sends one reply to the kernel. The bytes are valid during the call only. */
  readonly reply: (bytes: Uint8Array) => void;
  /** Takes protocol traffic, a line for each message. */
  readonly log?: Log;
  /** Takes our failures: a malformed message, a handler that threw anything but Errno. */
  readonly warn?: (line: string) => void;
  /** The most bytes of file data in one WRITE. @default {1048576} */
  readonly maxWrite?: number;
  /** Bytes that the kernel may read ahead of a request. @default {131072} */
  readonly maxReadahead?: number;
  /** Whether files are to stand behind opened ones, if the kernel can do that. @default {false} */
  readonly passthrough?: boolean;
}

const READDIRPLUS_FLAGS = abi.FUSE_DO_READDIRPLUS | abi.FUSE_READDIRPLUS_AUTO;
const WANTED_FLAGS = abi.FUSE_ATOMIC_O_TRUNC | abi.FUSE_BIG_WRITES | abi.FUSE_MAX_PAGES |
  READDIRPLUS_FLAGS | abi.FUSE_PARALLEL_DIROPS |
  abi.FUSE_CACHE_SYMLINKS | abi.FUSE_EXPLICIT_INVAL_DATA | abi.FUSE_ABORT_ERROR;

/** The flag as a bit of `flags2`. */
const PASSTHROUGH_FLAG = abi.FUSE_PASSTHROUGH / 2 ** 32;
const DIRECT_MMAP_FLAG = abi.FUSE_DIRECT_IO_ALLOW_MMAP / 2 ** 32;
/**
 * The number of filesystems that may be stacked upon each other with this one on top: the files behind ours
 * are in one that is not stacked itself. The kernel takes 1 and 2 (`FILESYSTEM_MAX_STACK_DEPTH`).
 */
const MAX_STACK_DEPTH = 1;

/** The larger of the structures that precede data in a request: `fuse_in_header`, `fuse_write_in`. */
export const REQUEST_OVERHEAD = 4096;

type Header = Decoded<typeof abi.fuse_in_header>;

/** A request in flight; its AbortController exists only once somebody has asked for the signal. */
class Pending implements Request {
  readonly unique: Unique;
  readonly nodeid: NodeId;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Whether the kernel has its answer; it takes only one. */
  isAnswered = false;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(header: Header) {
    this.unique = header.unique;
    this.nodeid = header.nodeid;
    this.uid = header.uid;
    this.gid = header.gid;
    this.pid = header.pid;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(new Errno("EINTR"));
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(new Errno("EINTR"));
  }
}

/**
 * The FUSE protocol for one mount, without a descriptor: the kernel's messages go in by
 * {@linkcode receive}, replies come out by the `reply` option. Replies may come out of order. Each
 * request but FORGET, BATCH_FORGET, NOTIFY_REPLY and INTERRUPT gets exactly one.
 */
export class Session {
  readonly #filesystem: Filesystem;
  readonly #options: SessionOptions;
  readonly #writer = new Writer(64 * 1024);
  readonly #pending = new Map<number, Pending>();
  #minor = 0;
  /** Whether DESTROY has come. */
  #isOver = false;
  #hasPassthrough = false;
  #hasDirectMmap = false;

  constructor(filesystem: Filesystem, options: SessionOptions) {
    this.#filesystem = filesystem;
    this.#options = options;
  }

  /** The minor version spoken with the kernel; 0 before INIT. */
  get minor(): number {
    return this.#minor;
  }

  /** Whether the kernel has granted the option `passthrough`; false before INIT. */
  get hasPassthrough(): boolean {
    return this.#hasPassthrough;
  }

  /** Whether files that bypass the page cache (FOPEN_DIRECT_IO) can be mapped; false before INIT. */
  get hasDirectMmap(): boolean {
    return this.#hasDirectMmap;
  }

  /** The number of requests that are not answered yet. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Takes one message. Never throws: faults of the message are answered and logged. */
  receive(message: Uint8Array): void {
    const reader = new Reader(message);
    let header: Header;
    try {
      header = abi.fuse_in_header.decode(reader);
    } catch (error) {
      if (error instanceof LargeValueError && message.length >= abi.fuse_in_header.size) {
        return this.#refuse(message);
      }
      this.#warn(`Cannot read a request of ${message.length} bytes: ${(error as Error).message}`);
      return;
    }
    const pending = new Pending(header);
    const operation = OPERATION_BY_OPCODE.get(header.opcode);
    if (!operation) {
      if (this.#options.log?.enabled) {
        const name = `opcode ${header.opcode}`;
        this.#options.log(formatRequest(pending, { name, input: undefined }));
      }
      if (isAnswered(header.opcode)) this.#fail(pending, new Errno("ENOSYS"));
      return;
    }
    try {
      if (header.len !== message.length) {
        throw new WireError(`its header says ${header.len} bytes`);
      }
      const input = operation.input.decode(reader);
      if (this.#options.log?.enabled) {
        this.#options.log(formatRequest(pending, { name: operation.name, input }));
      }
      this.#dispatch(pending, operation, input);
    } catch (error) {
      this.#failToTake(pending, { operation, error, length: message.length });
    }
  }

  #failToTake(
    pending: Pending,
    { operation, error, length }: { operation: Operation; error: unknown; length: number },
  ): void {
    const { name, opcode } = operation;
    const refuse = (reason: unknown) => isAnswered(opcode) && this.#fail(pending, reason);
    // Programs choose offsets: an impossible offset must not fill the log.
    if (error instanceof LargeValueError) refuse(new Errno("EINVAL"));
    else if (error instanceof WireError) {
      this.#warn(`Cannot read ${name} ${pending.unique} of ${length} bytes: ${error.message}`);
      refuse(new Errno("EIO"));
    } else if (isAnswered(opcode)) refuse(error);
    else this.#warn(`Cannot take in ${name} ${pending.unique}: ${inspect(error)}`);
  }

  /** Answers a request whose number, or whose node, is impossible. */
  #refuse(message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset);
    if (!isAnswered(view.getUint32(OPCODE_AT, true))) return;
    const writer = this.#writer.restart();
    writer.u32(abi.fuse_out_header.size);
    writer.i32(-new Errno("EINVAL").errno);
    writer.u64(view.getBigUint64(UNIQUE_AT, true));
    this.#options.reply(writer.finish());
  }

  /** Ends the session: requests in flight are aborted, as when the filesystem is unmounted. */
  close(): void {
    for (const pending of this.#pending.values()) pending.abort();
  }

  #dispatch(pending: Pending, operation: Operation, input: unknown): void {
    switch (operation.opcode) {
      case abi.FUSE_OPCODE.INIT:
        return this.#init(pending, input as InitIn);
      case abi.FUSE_OPCODE.DESTROY:
        if (!this.#isServing) throw new Errno("EIO");
        this.#isOver = true;
        this.#filesystem.destroy?.();
        return this.#succeed(pending, operation, undefined);
      case abi.FUSE_OPCODE.INTERRUPT:
        return this.#interrupt(pending, (input as { unique: Unique }).unique);
      case abi.FUSE_OPCODE.FORGET:
        return this.#filesystem.forget?.(pending.nodeid, (input as { nlookup: number }).nlookup);
      case abi.FUSE_OPCODE.BATCH_FORGET:
        for (const one of input as Decoded<typeof abi.fuse_forget_one>[]) {
          this.#filesystem.forget?.(one.nodeid, one.nlookup);
        }
        return;
    }
    if (!this.#isServing) throw new Errno("EIO");
    const handlers = this.#filesystem as Record<string, Handler | undefined>;
    const handler = handlers[operation.method];
    if (!handler) throw new Errno("ENOSYS");
    const output = handler.call(this.#filesystem, pending, input);
    if (!(output instanceof Promise)) return this.#succeed(pending, operation, output);
    this.#pending.set(pending.unique, pending);
    output.then((value) => this.#succeed(pending, operation, value))
      .catch((error) => this.#fail(pending, error))
      .finally(() => {
        if (this.#pending.get(pending.unique) === pending) this.#pending.delete(pending.unique);
      });
  }

  /** Whether INIT has come, and DESTROY has not. */
  get #isServing(): boolean {
    return this.#minor !== 0 && !this.#isOver;
  }

  #init(pending: Pending, input: InitIn): void {
    // The first agreement holds until the end.
    if (this.#minor !== 0 || this.#isOver) throw new Errno("EIO");
    const output = this.#initOut(input);
    const operation = OPERATION_BY_OPCODE.get(abi.FUSE_OPCODE.INIT)!;
    // A kernel with a newer major version sends INIT again, in ours, after this answer.
    if (input.major > abi.FUSE_KERNEL_VERSION) return this.#succeed(pending, operation, output);
    if (
      input.major < abi.FUSE_KERNEL_VERSION || input.minor < abi.FUSE_OLDEST_MINOR_VERSION
    ) {
      this.#warn(
        `Cannot serve FUSE ${input.major}.${input.minor}: 7.${abi.FUSE_OLDEST_MINOR_VERSION} ` +
          "(Linux 5.4) is the oldest that is supported",
      );
      throw new Errno("EPROTO");
    }
    this.#minor = output.minor;
    this.#hasPassthrough = (output.flags2 & PASSTHROUGH_FLAG) !== 0;
    this.#hasDirectMmap = (output.flags2 & DIRECT_MMAP_FLAG) !== 0;
    this.#succeed(pending, operation, output);
    this.#filesystem.init?.();
  }

  #initOut(input: InitIn): abi.FuseInitOut {
    // The kernel does not fall back to READDIR.
    const unwanted = this.#filesystem.readdirplus ? 0 : READDIRPLUS_FLAGS;
    const maxWrite = this.#options.maxWrite ?? 1024 * 1024;
    // The kernel confirms nothing: everything that it offered is granted.
    const wanted2 = DIRECT_MMAP_FLAG | (this.#options.passthrough ? PASSTHROUGH_FLAG : 0);
    const flags2 = input.flags2 & wanted2;
    const extended = flags2 === 0 ? 0 : abi.FUSE_INIT_EXT;
    return {
      major: abi.FUSE_KERNEL_VERSION,
      minor: Math.min(input.minor, abi.FUSE_KERNEL_MINOR_VERSION),
      max_readahead: Math.min(input.max_readahead, this.#options.maxReadahead ?? 128 * 1024),
      flags: (input.flags & WANTED_FLAGS & ~unwanted) | extended,
      ...{ max_background: 64, congestion_threshold: 48 },
      max_write: maxWrite,
      time_gran: 1,
      max_pages: Math.ceil(maxWrite / 4096),
      map_alignment: 0,
      flags2,
      max_stack_depth: (flags2 & PASSTHROUGH_FLAG) === 0 ? 0 : MAX_STACK_DEPTH,
    };
  }

  #interrupt(interrupt: Pending, unique: Unique): void {
    const pending = this.#pending.get(unique);
    if (pending) pending.abort();
    // The request may not have reached us yet: EAGAIN makes the kernel send the interrupt again, as
    // long as the request lives. For a request that was answered, it has no effect.
    else this.#fail(interrupt, new Errno("EAGAIN"));
  }

  #succeed(pending: Pending, operation: Operation, output: unknown): void {
    const writer = this.#writer.restart(abi.fuse_out_header.size);
    (operation.output.encode as (writer: Writer, value: unknown) => void)(writer, output);
    this.#send(pending, { errno: 0, output });
  }

  #fail(pending: Pending, error: unknown): void {
    let errno = error instanceof Errno ? error.errno : 0;
    if (errno === 0) {
      this.#warn(`Cannot answer request ${pending.unique}: ${inspect(error)}`);
      errno = new Errno("EIO").errno;
    }
    if (pending.isAnswered) return;
    this.#writer.restart(abi.fuse_out_header.size);
    try {
      this.#send(pending, { errno });
    } catch (error) {
      // The kernel refuses even this: nobody can be told.
      this.#warn(`Cannot answer request ${pending.unique}: ${inspect(error)}`);
    }
  }

  #send(pending: Pending, outcome: { errno: number; output?: unknown }): void {
    const len = this.#writer.length;
    abi.fuse_out_header.encode(this.#writer.seek(0), {
      len,
      error: -outcome.errno,
      unique: pending.unique,
    });
    if (this.#options.log?.enabled) this.#options.log(formatReply(pending.unique, outcome));
    this.#options.reply(this.#writer.seek(len).finish());
    pending.isAnswered = true;
  }

  #warn(line: string): void {
    this.#options.warn?.(line);
  }
}

type Handler = (request: Request, input: unknown) => unknown;

/** Offsets of these in `fuse_in_header`. */
const OPCODE_AT = 4;
const UNIQUE_AT = 8;
/** The kernel sends this after a notification that asks for it; we never send one. */
const NOTIFY_REPLY = 41;

const UNANSWERED: ReadonlySet<number> = new Set([
  abi.FUSE_OPCODE.FORGET,
  abi.FUSE_OPCODE.BATCH_FORGET,
  abi.FUSE_OPCODE.INTERRUPT,
  NOTIFY_REPLY,
]);

function isAnswered(opcode: number): boolean {
  return !UNANSWERED.has(opcode);
}
