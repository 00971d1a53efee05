/**
 * A recording: a file of JSON lines. The first describes the server; each other line is a message, or a fact
 * that the server learned otherwise, in the order of events. `t` is in ms since the first line. Lines are
 * written as it happens: after a crash the last line may be cut short, but no other.
 *
 * Bytes are in base64 without the zeros at their end: a message begins with its length (`len` of
 * `fuse_in_header` and `fuse_out_header`), by which they are put back.
 */
import * as v from "valibot";
import { check, integer, list, named, record } from "../base/shape.ts";
import type { TargetId } from "../kcov/mod.ts";

/** Must be raised when a reader of the older format would misread the newer. */
export const FORMAT = 1;

/** The server that answered as recorded. */
export type RecordedServer = v.InferOutput<typeof RECORDED_SERVER>;
const SERVER_MEMBERS = {
  /** The mode of `kcov`, and its owner. */
  mode: integer,
  uid: integer,
  gid: integer,
  /** Seconds since 1970; the times of all files. */
  mounted: integer,
  /** The target of the link `kcovfs/socket`. */
  socket: v.string(),
  /** The text files in `kcovfs/`, in their order. */
  files: list(v.string()),
  /** Whether the server asked for passthrough. */
  passthrough: v.boolean(),
  /** Options of the session: see `SessionOptions`. */
  maxWrite: integer,
  maxReadahead: integer,
} as const;
const RECORDED_SERVER = record(SERVER_MEMBERS);

/** The first line. */
export type Header = v.InferOutput<typeof HEADER>;
export const HEADER = record({
  recording: v.literal("kcovfs"),
  format: integer,
  /** Version of kcovfs. */
  version: v.string(),
  /** Version of the kernel. */
  kernel: v.string(),
  /** When the first line was written, in ISO 8601. */
  began: v.string(),
  ...SERVER_MEMBERS,
});

/** Bytes in base64. */
type Base64 = string;
const BASE64 = v.string();
const TIME = { t: v.number() };

/** Messages, and facts that the server learned otherwise, by the key that tells the kind. */
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
   * A thread has enabled an instance. `start` is a number that no other thread has, or null: there is no such
   * thread, or it has ended.
   */
  thread: record({ ...TIME, thread: integer, start: v.nullable(integer) }),
  /** Bytes of a caller's memory, at an address in hex; null where they could not be read. */
  memory: record({ ...TIME, memory: v.string(), tid: integer, bytes: v.nullable(BASE64) }),
  /** The targets that `kcov.d/` may have files of. */
  targets: record({
    ...TIME,
    targets: list(record({ name: v.string(), id: named<TargetId>(), isAlive: v.boolean() })),
  }),
  /** Whether targets could record comparisons. */
  comparable: record({ ...TIME, comparable: v.boolean() }),
  /** Whether all targets that an instance traces could write into its area themselves. */
  written: record({ ...TIME, written: v.boolean() }),
  /** Whether areas can be files that targets write into; the ioctls that found this out came before. */
  direct: record({ ...TIME, direct: v.boolean() }),
  /** The result of an `ioctl(2)` of a number on the connection; null where it failed. */
  ioctl: record({ ...TIME, ioctl: integer, result: v.nullable(integer) }),
} as const;

type Entries = { readonly [K in keyof typeof ENTRIES]: v.InferOutput<(typeof ENTRIES)[K]> };
/** Any line but the first. */
export type Entry = Entries[keyof Entries];
type WithoutTime<E> = E extends unknown ? Omit<E, "t"> : never;
/** A message. */
export type Message = WithoutTime<Entries["rx" | "tx"]>;
/** A notification. */
export type Notification = WithoutTime<Entries["nt"]>;
/** A fact that the server learned otherwise; it is noted when it has changed. */
export type Fact = WithoutTime<Exclude<Entry, Entries["rx" | "tx" | "nt"]>>;

/**
 * @returns undefined for an entry of a kind that this version does not know; it can be left out.
 * @throws {ShapeError} when the entry is damaged.
 */
export function entryOf(value: object): Entry | undefined {
  const kind = (Object.keys(ENTRIES) as (keyof Entries)[]).find((key) => Object.hasOwn(value, key));
  return kind && check(ENTRIES[kind], value);
}

/** The longest message that is unpacked; no message is as long. */
const MOST_BYTES = 4 * 1024 * 1024;

const ZEROS = new Uint8Array(2048);

/** Encodes a message for an entry. */
export function packMessage(bytes: Uint8Array): Base64 {
  let end = bytes.length;
  // Byte by byte this would take most of the time that a page takes.
  for (let size = ZEROS.length; size >= 1; size /= 2) {
    const zeros = ZEROS.subarray(0, size);
    while (end >= size && Buffer.compare(bytes.subarray(end - size, end), zeros) === 0) end -= size;
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("base64");
}

/** @throws {RangeError} when the text is no message. */
export function unpackMessage(text: Base64): Uint8Array {
  const found = Buffer.from(text, "base64");
  const length = Buffer.concat([found, new Uint8Array(4)]).readUInt32LE(0);
  if (length < found.length || length > MOST_BYTES) throw new RangeError("a message is damaged");
  const bytes = new Uint8Array(length);
  bytes.set(found);
  return bytes;
}
