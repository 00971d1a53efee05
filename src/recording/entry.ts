/**
 * What a recording is: a file of JSON lines. The first says what the server was; each other line is what
 * passed, or what the server learned otherwise, in the order in which it did. `t` is in ms since the
 * first. It is written as it happens: after a crash the last line may be cut short, and only that.
 *
 * Bytes are in base64 without the zeros at their end: a message begins with its length (`len` of
 * `fuse_in_header` and `fuse_out_header`), by which they are put back.
 */
import type { NamedTarget } from "../kcov/mod.ts";

/** Raised when a reader of the older format would misread the newer. */
export const FORMAT = 1;

/** What a server was that answered as recorded. */
export interface RecordedServer {
  /** Of `kcov`, and its owner. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970; what all files' times are. */
  readonly mounted: number;
  /** Where `kcovfs/socket` pointed. */
  readonly socket: string;
  /** The text files in `kcovfs/`, in their order. */
  readonly files: readonly string[];
  /** Whether it asked for passthrough. */
  readonly passthrough: boolean;
  /** Of the session: see `SessionOptions`. */
  readonly maxWrite: number;
  readonly maxReadahead: number;
}

/** The first line. */
export interface Header extends RecordedServer {
  readonly recording: "kcovfs";
  readonly format: number;
  /** Of kcovfs. */
  readonly version: string;
  /** Of the kernel. */
  readonly kernel: string;
  /** When the first line was written, as ISO 8601 has it. */
  readonly began: string;
}

/** Bytes in base64. */
type Base64 = string;

/** A message. */
export type Message =
  /** The kernel asks. */
  | { readonly rx: Base64 }
  /** The server answers. */
  | { readonly tx: Base64 };

/** A notification is sent, and then carried out (0) or refused. */
export type Notification =
  | { readonly nt: number; readonly bytes: Base64 }
  | { readonly nt: number; readonly errno: number };

/** What the server learned otherwise, when it has changed. */
export type Fact =
  /**
   * A thread has enabled an instance: a number that no other has. Or null: there is none such, or it has
   * ended.
   */
  | { readonly thread: number; readonly start: number | null }
  /** Memory of a caller's, at an address in hex; null where it could not be read. */
  | { readonly memory: string; readonly tid: number; readonly bytes: Base64 | null }
  /** The targets that `kcov.d/` may have files of. */
  | { readonly targets: readonly NamedTarget[] }
  /** Whether comparisons could be had. */
  | { readonly comparable: boolean }
  /** Whether all targets that an instance is told of could write into its area themselves. */
  | { readonly written: boolean }
  /** Whether areas can be files that targets write into; what was tried to find out came before. */
  | { readonly direct: boolean }
  /** What `ioctl(2)` of a number returned on the connection; null where it failed. */
  | { readonly ioctl: number; readonly result: number | null };

/** A line but the first. */
export type Entry = { readonly t: number } & (Message | Notification | Fact);

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
