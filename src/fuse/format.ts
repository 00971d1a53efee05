/**
 * Debug lines, one for each message: a request `rx 2: OPEN n4 {flags: 0x8002} p77` and its reply
 * `tx 2: OK {fh: 1}`; a notification, by a number of its own, `nt 1: STORE n4 {offset: 8, size: 8} 8b:00...`
 * and its outcome, `nt 1: OK`. Values of 0 and empty values are left out. Called only when logging is on.
 */
import * as abi from "./abi.ts";
import { errnoName } from "./errno.ts";
import { Reader, WireError } from "./wire.ts";
import type { NodeId, Unique } from "./ids.ts";

const MOST_BYTES = 16;
/** Fields whose single bits have meanings. */
const FLAGS = /flags2?$|^(?:cmd|valid|lock_owner)$/;
/** A larger number is an address. */
const MOST_DECIMAL = 2 ** 40;

function formatBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, MOST_BYTES)).toString("hex");
  return `${bytes.length}b:${shown}${bytes.length > MOST_BYTES ? "..." : ""}`;
}

/** A value on one line, without quotes around keys; bytes as their number and the first few. */
export function formatValue(value: unknown, key = ""): string {
  if (value instanceof Uint8Array) return formatBytes(value);
  if (Array.isArray(value)) return `[${value.map((item) => formatValue(item)).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).filter(([, item]) => !isNothing(item));
    return `{${fields.map(([key, item]) => `${key}: ${formatValue(item, key)}`).join(", ")}}`;
  }
  if (typeof value === "number" || typeof value === "bigint") {
    if (key === "mode") return `0o${value.toString(8)}`;
    return FLAGS.test(key) || value > MOST_DECIMAL ? `0x${value.toString(16)}` : String(value);
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === 0 || value === 0n) return true;
  if (value instanceof Uint8Array) return value.length === 0;
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every(isNothing);
}

function formatRest(value: unknown): string {
  return isNothing(value) ? "" : ` ${formatValue(value)}`;
}

/** A request, as it was received. */
export function formatRequest(
  request: { unique: Unique; nodeid: NodeId; pid: number },
  operation: { name: string; input: unknown },
): string {
  const { unique, nodeid, pid } = request;
  return `rx ${unique}: ${operation.name} n${nodeid}${formatRest(operation.input)} p${pid}`;
}

/** A reply, as it is sent. */
export function formatReply(unique: Unique, outcome: { errno: number; output?: unknown }): string {
  return `tx ${unique}: ${formatErrno(outcome.errno)}${formatRest(outcome.output)}`;
}

/** The outcome of a notification. */
export function formatNotified(serial: number, errno: number): string {
  return `nt ${serial}: ${formatErrno(errno)}`;
}

function formatErrno(errno: number): string {
  return errno === 0 ? "OK" : errnoName(errno);
}

/** A notification, as its bytes are sent. */
export function formatNotification(serial: number, bytes: Uint8Array): string {
  const reader = new Reader(bytes);
  try {
    const { error: code } = abi.fuse_out_header.decode(reader);
    return `nt ${serial}: ${formatBody(code, reader)}`;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return `nt ${serial}: ${formatBytes(bytes)}`;
  }
}

function formatBody(code: number, reader: Reader): string {
  switch (code) {
    case abi.FUSE_NOTIFY.INVAL_INODE: {
      const { ino, ...range } = abi.fuse_notify_inval_inode_out.decode(reader);
      return `INVAL_INODE n${ino}${formatRest(range)}`;
    }
    case abi.FUSE_NOTIFY.INVAL_ENTRY: {
      const { parent } = abi.fuse_notify_inval_entry_out.decode(reader);
      return `INVAL_ENTRY n${parent} ${formatValue(reader.name())}`;
    }
    case abi.FUSE_NOTIFY.STORE: {
      const { nodeid, ...range } = abi.fuse_notify_store_out.decode(reader);
      return `STORE n${nodeid}${formatRest(range)} ${formatBytes(reader.bytes(reader.remaining))}`;
    }
    default:
      return `code ${code}`;
  }
}
