import { createHash } from "node:crypto";
import { normalize } from "node:path";
import { scriptPath } from "../blocks/script_filter.ts";
import { visible } from "./display_text.ts";

/** Bytes that filesystems take for a name, less some that reports add. */
const LONGEST_NAME = 200;
/** Bytes of a path, which the kernel takes 4095 of with the report's folder. */
const LONGEST_PATH = 2000;

/**
 * Where a file stands in a report: the path of a file, and something like one for other URLs, of names that
 * can be files and lead nowhere else.
 */
export function reportPath(url: string): string {
  const path = scriptPath(url);
  if (path.startsWith("/")) return shortPath(normalize(path).split("/").map(shortName).join("/"));
  const names = path.replace(/^(\w[\w+.-]*):\/*/, "$1/").split(/[/\\]+/);
  const safe = names.filter((name) => name !== "" && name !== ".").map(safeName);
  return shortPath(safe.join("/") || "unnamed");
}

/** Gives each path once: of two that would be the same, the later one is told by its URL's hash. */
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
  // A key of Istanbul's objects, too.
  if (name === "__proto__") return "_proto_";
  return shortName(name.replace(/[?#*:|"<>]/g, "_"));
}

/** No format of reports can have a line break in a name, and no terminal is to act on one. */
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
