/**
 * What a recording is: a file of JSON lines. The first says what the server was; each other line is what
 * passed, or what the server learned otherwise, in the order in which it did. `t` is in ms since the
 * first. It is written as it happens: after a crash the last line may be cut short, and only that.
 *
 * Bytes are in base64 without the zeros at their end: a message begins with its length (`len` of
 * `fuse_in_header` and `fuse_out_header`), by which they are put back.
 */
import * as v from "valibot";
import { check, integer, list, named, record } from "../base/shape.ts";
import type { TargetId } from "../kcov/mod.ts";

/** Raised when a reader of the older format would misread the newer. */
export const FORMAT = 1;

/** What a server was that answered as recorded. */
export type RecordedServer = v.InferOutput<typeof RECORDED_SERVER>;
const SERVER_MEMBERS = {
  /** Of `kcov`, and its owner. */
  mode: integer,
  uid: integer,
  gid: integer,
  /** Seconds since 1970; what all files' times are. */
  mounted: integer,
  /** Where `kcovfs/socket` pointed. */
  socket: v.string(),
  /** The text files in `kcovfs/`, in their order. */
  files: list(v.string()),
  /** Whether it asked for passthrough. */
  passthrough: v.boolean(),
  /** Of the session: see `SessionOptions`. */
  maxWrite: integer,
  maxReadahead: integer,
} as const;
const RECORDED_SERVER = record(SERVER_MEMBERS);

/** The first line. */
export type Header = v.InferOutput<typeof HEADER>;
export const HEADER = record({
  recording: v.literal("kcovfs"),
  format: integer,
  /** Of kcovfs. */
  version: v.string(),
  /** Of the kernel. */
  kernel: v.string(),
  /** When the first line was written, as ISO 8601 has it. */
  began: v.string(),
  ...SERVER_MEMBERS,
});

/** Bytes in base64. */
type Base64 = string;
const BASE64 = v.string();
const TIME = { t: v.number() };

/** What passed, or what the server learned otherwise, by the key that tells what it is. */
const ENTRIES = {
  /** The kernel asks. */
  rx: record({ ...TIME, rx: BASE64 }),
  /** The server answers. */
  tx: record({ ...TIME, tx: BASE64 }),
  /** A notification is sent, and then carried out (0) or refused. */
  nt: v.union([
    record({ ...TIME, nt: integer, bytes: BASE64 }),
    record({ ...TIME, nt: integer, errno: integer }),
  ]),
  /**
   * A thread has enabled an instance: a number that no other has. Or null: there is none such, or it has
   * ended.
   */
  thread: record({ ...TIME, thread: integer, start: v.nullable(integer) }),
  /** Memory of a caller's, at an address in hex; null where it could not be read. */
  memory: record({ ...TIME, memory: v.string(), tid: integer, bytes: v.nullable(BASE64) }),
  /** The targets that `kcov.d/` may have files of. */
  targets: record({
    ...TIME,
    targets: list(record({ name: v.string(), id: named<TargetId>(), isAlive: v.boolean() })),
  }),
  /** Whether comparisons could be had. */
  comparable: record({ ...TIME, comparable: v.boolean() }),
  /** Whether all targets that an instance is told of could write into its area themselves. */
  written: record({ ...TIME, written: v.boolean() }),
  /** Whether areas can be files that targets write into; what was tried to find out came before. */
  direct: record({ ...TIME, direct: v.boolean() }),
  /** What `ioctl(2)` of a number returned on the connection; null where it failed. */
  ioctl: record({ ...TIME, ioctl: integer, result: v.nullable(integer) }),
} as const;

type Entries = { readonly [K in keyof typeof ENTRIES]: v.InferOutput<(typeof ENTRIES)[K]> };
/** A line but the first. */
export type Entry = Entries[keyof Entries];
type WithoutTime<E> = E extends unknown ? Omit<E, "t"> : never;
/** A message. */
export type Message = WithoutTime<Entries["rx" | "tx"]>;
/** A notification. */
export type Notification = WithoutTime<Entries["nt"]>;
/** What the server learned otherwise, when it has changed. */
export type Fact = WithoutTime<Exclude<Entry, Entries["rx" | "tx" | "nt"]>>;

/**
 * @returns undefined for one of a kind that this version does not know, which is of no concern.
 * @throws {ShapeError} when it is damaged.
 */
export function entryOf(value: object): Entry | undefined {
  const kind = (Object.keys(ENTRIES) as (keyof Entries)[]).find((key) => Object.hasOwn(value, key));
  return kind && check(ENTRIES[kind], value);
}

/** The longest message that is taken back: longer than any there is. */
const MOST_BYTES = 4 * 1024 * 1024;

const ZEROS = new Uint8Array(2048);

/** A message for an entry. */
export function packMessage(bytes: Uint8Array): Base64 {
  let end = bytes.length;
  // Byte by byte it would take most of the time that a page does.
  for (let size = ZEROS.length; size >= 1; size /= 2) {
    const zeros = ZEROS.subarray(0, size);
    while (end >= size && Buffer.compare(bytes.subarray(end - size, end), zeros) === 0) end -= size;
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("base64");
}

/** @throws {RangeError} when that is no message. */
export function unpackMessage(text: Base64): Uint8Array {
  const found = Buffer.from(text, "base64");
  const length = Buffer.concat([found, new Uint8Array(4)]).readUInt32LE(0);
  if (length < found.length || length > MOST_BYTES) throw new RangeError("a message is damaged");
  const bytes = new Uint8Array(length);
  bytes.set(found);
  return bytes;
}
