import { createHash } from "node:crypto";

/** Part of a script's identity. Change it whenever tables are made differently. */
const TABLE_VERSION = 2;

/**
 * SHA-256 of a script, in hex, by which its PCs are known. Each of the four line ends of one unit counts as
 * `\n`: V8 does not tell which it is (see `agent/inside/script_source.cts`).
 */
export function scriptHash(source: string): string {
  const text = source.replace(/\r(?!\n)|[\u2028\u2029]/g, "\n");
  return createHash("sha256").update(`${TABLE_VERSION} `).update(text).digest("hex");
}
