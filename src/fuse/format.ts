/** Debug lines: `rx 2: OPEN n4 {flags: 2}`, `tx 2: OK {fh: 1}`. Called only when logging is on. */
import { errnoName } from "./errno.ts";

const MOST_BYTES = 16;

function formatBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, MOST_BYTES)).toString("hex");
  return `${bytes.length}b:${shown}${bytes.length > MOST_BYTES ? "..." : ""}`;
}

/** A value on one line, without quotes around keys; bytes by their number and first few. */
export function formatValue(value: unknown): string {
  if (value instanceof Uint8Array) return formatBytes(value);
  if (Array.isArray(value)) return `[${value.map(formatValue).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => `${key}: ${formatValue(item)}`);
    return `{${fields.join(", ")}}`;
  }
  if (typeof value === "number" && value > 0xffff) return `0x${value.toString(16)}`;
  if (typeof value === "bigint" && value > 0xffffn) return `0x${value.toString(16)}`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** A request, as it was received. */
export function formatRequest(
  request: { unique: number; nodeid: number; pid: number },
  operation: { name: string; input: unknown },
): string {
  const input = operation.input === undefined ? "" : ` ${formatValue(operation.input)}`;
  return `rx ${request.unique}: ${operation.name} n${request.nodeid}${input} p${request.pid}`;
}

/** A reply, as it is sent. */
export function formatReply(unique: number, outcome: { errno: number; output?: unknown }): string {
  if (outcome.errno !== 0) return `tx ${unique}: ${errnoName(outcome.errno)}`;
  return `tx ${unique}: OK${outcome.output === undefined ? "" : ` ${formatValue(outcome.output)}`}`;
}
