import { createHash } from "node:crypto";
import { normalize } from "node:path";
import { scriptPath } from "../blocks/script_filter.ts";
import { visible } from "./display_text.ts";

/** Bytes that filesystems allow in a name, less some that reports add. */
const LONGEST_NAME = 200;
/** Bytes of a path; with the report's folder the kernel allows 4095. */
const LONGEST_PATH = 2000;

/**
 * A file's path in a report: the path of a file's URL, and a similar one for other URLs. Its names are valid
 * for files, and cannot lead out of the report.
 */
export function reportPath(url: string): string {
  const path = scriptPath(url);
  if (path.startsWith("/")) return shortPath(normalize(path).split("/").map(shortName).join("/"));
  const names = path.replace(/^(\w[\w+.-]*):\/*/, "$1/").split(/[/\\]+/);
  const safe = names.filter((name) => name !== "" && name !== ".").map(safeName);
  return shortPath(safe.join("/") || "unnamed");
}

/** Gives each path once. If two were the same, the later one gets its URL's hash. */
export class ReportPaths {
  readonly #taken = new Set<string>();

  of(url: string): string {
    const path = reportPath(url);
    const unique = this.#taken.has(path) ? `${path}-${hashOf(url)}` : path;
    this.#taken.add(unique);
    return unique;
  }
}

function safeName(name: string): string {
  if (name === "..") return "__";
  // The path is a key of Istanbul's objects, too.
  if (name === "__proto__") return "_proto_";
  return shortName(name.replace(/[?#*:|"<>]/g, "_"));
}

/** A name must have no line break, which no format of reports allows, and nothing that a terminal acts on. */
function shortName(name: string): string {
  const plain = visible(name, () => "_");
  return Buffer.byteLength(plain) <= LONGEST_NAME ? plain : cut(plain, name, LONGEST_NAME / 2);
}

function shortPath(path: string): string {
  return Buffer.byteLength(path) <= LONGEST_PATH ? path : cut(path, path, LONGEST_PATH / 2);
}

/** @param most Bytes of the text that are kept, in whole characters. */
function cut(text: string, of: string, most: number): string {
  const bytes = Buffer.from(text);
  let end = most;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}-${hashOf(of)}`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
