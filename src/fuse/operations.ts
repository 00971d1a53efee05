/**
 * The operations that a session serves, one row each: the opcode, its name in debug lines, the
 * {@linkcode Filesystem} method that handles it, and the layouts of its input and output.
 */
import * as abi from "./abi.ts";
import { type Decoded, Reader, type Struct, type Writer } from "./wire.ts";
import type { NodeId, Unique } from "./ids.ts";

/** The caller of a request, and its node. */
export interface Request {
  /** The kernel's number for the request. */
  readonly unique: Unique;
  readonly nodeid: NodeId;
  readonly uid: number;
  readonly gid: number;
  /** The calling *thread*, in the pid namespace of the server; 0 if it is in another, or if there is none. */
  readonly pid: number;
  /**
   * Aborted if the caller is interrupted or the filesystem is unmounted. A signal that does not
   * kill the caller interrupts it, too, and the kernel turns an error for a page fault into SIGBUS:
   * heed it only where the caller can live with EINTR.
   */
  readonly signal: AbortSignal;
}

interface Decoder<T> {
  decode(reader: Reader): T;
}

interface Encoder<T> {
  encode(writer: Writer, value: T): void;
}

/** Encodes a message in one direction, and decodes it again, to be shown. */
type Codec<T> = Decoder<T> & Encoder<T>;

const nothing: Decoder<undefined> & Codec<void> = { decode: () => undefined, encode() {} };
const name: Decoder<string> = { decode: (reader) => reader.name() };
const text: Codec<string> = {
  decode: (reader) => Buffer.from(reader.bytes(reader.remaining)).toString(),
  encode: (writer, value) => writer.text(value),
};
const bytes: Codec<Uint8Array> = {
  decode: (reader) => reader.bytes(reader.remaining),
  encode: (writer, value) => writer.bytes(value),
};

/** A structure, and behind it as many bytes as its `size` says. */
function withData<T extends { size: number }>(head: Struct<T>): Decoder<T & { data: Uint8Array }> {
  return {
    decode(reader) {
      const value = head.decode(reader) as T & { data: Uint8Array };
      value.data = reader.bytes(value.size);
      return value;
    },
  };
}

/** The client's input of an ioctl: the structure, then `in_size` bytes of its memory. */
const ioctlIn: Decoder<Decoded<typeof abi.fuse_ioctl_in> & { data: Uint8Array }> = {
  decode(reader) {
    const head = abi.fuse_ioctl_in.decode(reader);
    return Object.assign(head, { data: reader.bytes(head.in_size) });
  },
};

/** An ioctl's answer: its result (a negative errno, of any size, or what ioctl(2) returns) and output. */
export interface IoctlOut {
  readonly result: number;
  /** At most `out_size` bytes, copied to the client's memory. */
  readonly data?: Uint8Array;
}

const ioctlOut: Codec<IoctlOut> = {
  decode(reader) {
    const { result } = abi.fuse_ioctl_out.decode(reader);
    return { result, data: reader.bytes(reader.remaining) };
  },
  encode(writer, value) {
    abi.fuse_ioctl_out.encode(writer, { result: value.result, flags: 0, in_iovs: 0, out_iovs: 0 });
    if (value.data) writer.bytes(value.data);
  },
};

const forgetBatch: Decoder<Decoded<typeof abi.fuse_forget_one>[]> = {
  decode(reader) {
    const { count } = abi.fuse_batch_forget_in.decode(reader);
    const forgets: Decoded<typeof abi.fuse_forget_one>[] = [];
    while (forgets.length < count) forgets.push(abi.fuse_forget_one.decode(reader));
    return forgets;
  },
};

/** `flags2` is 0 if the kernel is older than it. */
const initIn: Decoder<Decoded<typeof abi.fuse_init_in> & { flags2: number }> = {
  decode(reader) {
    const head = abi.fuse_init_in.decode(reader);
    const isExtended = (head.flags & abi.FUSE_INIT_EXT) !== 0;
    return Object.assign(head, { flags2: isExtended ? reader.u32() : 0 });
  },
};

const openOut: Codec<abi.FuseOpenOut> = {
  decode: (reader) => abi.fuse_open_out.decode(reader),
  encode(writer, value) {
    abi.fuse_open_out.encode(writer, { ...value, backing_id: value.backing_id ?? 0 });
  },
};

/** The input of requests that are refused without a closer look: debug lines show its bytes. */
const anything: Decoder<{ rest: Uint8Array }> = {
  decode: (reader) => ({ rest: reader.bytes(reader.remaining) }),
};

interface Row<Method extends string, In, Out> {
  readonly opcode: number;
  readonly name: string;
  readonly method: Method;
  readonly input: Decoder<In>;
  readonly output: Codec<Out>;
}

function row<const Method extends string, In, Out>(
  name: keyof typeof abi.FUSE_OPCODE,
  method: Method,
  layout: { input: Decoder<In>; output: Codec<Out> },
): Row<Method, In, Out> {
  return { opcode: abi.FUSE_OPCODE[name], name, method, ...layout };
}

/** The operations that a filesystem may handle. */
export const OPERATIONS = [
  row("LOOKUP", "lookup", { input: name, output: abi.fuse_entry_out }),
  row("GETATTR", "getattr", { input: abi.fuse_getattr_in, output: abi.fuse_attr_out }),
  row("SETATTR", "setattr", { input: abi.fuse_setattr_in, output: abi.fuse_attr_out }),
  row("READLINK", "readlink", { input: nothing, output: text }),
  row("OPEN", "open", { input: abi.fuse_open_in, output: openOut }),
  row("READ", "read", { input: abi.fuse_read_in, output: bytes }),
  row("WRITE", "write", { input: withData(abi.fuse_write_in), output: abi.fuse_write_out }),
  row("STATFS", "statfs", { input: nothing, output: abi.fuse_statfs_out }),
  row("RELEASE", "release", { input: abi.fuse_release_in, output: nothing }),
  row("FSYNC", "fsync", { input: abi.fuse_fsync_in, output: nothing }),
  row("FLUSH", "flush", { input: abi.fuse_flush_in, output: nothing }),
  row("OPENDIR", "opendir", { input: abi.fuse_open_in, output: openOut }),
  row("READDIR", "readdir", { input: abi.fuse_read_in, output: bytes }),
  row("READDIRPLUS", "readdirplus", { input: abi.fuse_read_in, output: bytes }),
  row("RELEASEDIR", "releasedir", { input: abi.fuse_release_in, output: nothing }),
  row("FSYNCDIR", "fsyncdir", { input: abi.fuse_fsync_in, output: nothing }),
  row("ACCESS", "access", { input: abi.fuse_access_in, output: nothing }),
  row("IOCTL", "ioctl", { input: ioctlIn, output: ioctlOut }),
] as const;

/** The operations that change a tree. Their input is not decoded: no filesystem here allows them. */
export const TREE_OPERATIONS = [
  row("SYMLINK", "change", { input: anything, output: nothing }),
  row("MKNOD", "change", { input: anything, output: nothing }),
  row("MKDIR", "change", { input: anything, output: nothing }),
  row("UNLINK", "change", { input: anything, output: nothing }),
  row("RMDIR", "change", { input: anything, output: nothing }),
  row("RENAME", "change", { input: anything, output: nothing }),
  row("LINK", "change", { input: anything, output: nothing }),
  row("SETXATTR", "change", { input: anything, output: nothing }),
  row("REMOVEXATTR", "change", { input: anything, output: nothing }),
  row("CREATE", "change", { input: anything, output: nothing }),
  row("RENAME2", "change", { input: anything, output: nothing }),
  row("TMPFILE", "change", { input: anything, output: nothing }),
] as const;

/** The input of INIT. */
export type InitIn = InputOf<typeof SESSION_OPERATIONS[0]>;

/** The operations that the session itself answers, or that have no answer. */
export const SESSION_OPERATIONS = [
  row("INIT", "init", { input: initIn, output: abi.fuse_init_out }),
  row("DESTROY", "destroy", { input: nothing, output: nothing }),
  row("INTERRUPT", "interrupt", { input: abi.fuse_interrupt_in, output: nothing }),
  row("FORGET", "forget", { input: abi.fuse_forget_in, output: nothing }),
  row("BATCH_FORGET", "forget", { input: forgetBatch, output: nothing }),
] as const;

type InputOf<R> = R extends Row<string, infer In, infer _> ? In : never;
type OutputOf<R> = R extends Row<string, infer _, infer Out> ? Out : never;

/**
 * A filesystem: a method for each operation it serves. An operation without a method is answered with
 * ENOSYS, which the kernel mostly remembers and does not ask again. A method refuses by throwing
 * {@linkcode Errno}. Byte arrays in an input are views that are valid until the method returns (for an
 * `async` method: until its first `await`).
 */
export type Filesystem =
  & {
    [R in typeof OPERATIONS[number] as R["method"]]?: (
      request: Request,
      input: InputOf<R>,
    ) => OutputOf<R> | Promise<OutputOf<R>>;
  }
  & {
    /** A caller wants to change the tree: see {@linkcode TREE_OPERATIONS}. */
    change?(request: Request, input: { rest: Uint8Array }): void;
    /** The first request was answered: the connection's features are known. */
    init?(): void;
    /** The kernel lets go of `nlookup` of its references to a node; there is no answer. */
    forget?(nodeid: NodeId, nlookup: number): void;
    /** The filesystem is unmounted; no request follows. */
    destroy?(): void;
  };

/** A row without its types, as the session's dispatch sees it. */
export type Operation = Row<string, unknown, never>;

/** Rows by opcode. */
export const OPERATION_BY_OPCODE: ReadonlyMap<number, Operation> = new Map(
  [...OPERATIONS, ...TREE_OPERATIONS, ...SESSION_OPERATIONS].map((
    row,
  ) => [row.opcode, row as Operation]),
);
