import { createHash } from "node:crypto";
import { normalize } from "node:path";
import { scriptPath } from "../coverage/script_filter.ts";

/** Bytes that filesystems take for a name, less some that reports add. */
const LONGEST_NAME = 200;

/**
 * Where a file stands in a report: the path of a file, and something like one for other URLs, of names that
 * can be files and lead nowhere else.
 */
export function reportPath(url: string): string {
  const path = scriptPath(url);
  if (path.startsWith("/")) return normalize(path);
  const names = path.replace(/^(\w[\w+.-]*):\/*/, "$1/").split(/[/\\]+/);
  return names.filter((name) => name !== "" && name !== ".").map(safeName).join("/") || "unnamed";
}

function safeName(name: string): string {
  if (name === "..") return "__";
  // deno-lint-ignore no-control-regex
  const plain = name.replace(/[\x00-\x1f?#*:|"<>]/g, "_");
  if (Buffer.byteLength(plain) <= LONGEST_NAME) return plain;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 12);
  return `${Buffer.from(plain).subarray(0, LONGEST_NAME / 2).toString("latin1")}-${hash}`;
}
