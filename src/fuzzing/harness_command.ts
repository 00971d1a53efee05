import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeno } from "../base/runtime.ts";
import { USAGE, UserError } from "../base/user_error.ts";
import type { HarnessOptions } from "../harness/protocol.ts";

const HARNESS = fileURLToPath(new URL("../harness/main.js", import.meta.url));
const TYPESCRIPT = [".ts", ".mts", ".cts"];
/** The Node that first strips types, if it is told to: minor version of 22. */
const STRIPS_WHEN_TOLD = 6;

/** Of a `UserError`: nothing can be looked for. Status 1 says that something was found. */
export const BROKEN = { status: 2, isUsage: false } as const;

/**
 * The command that starts a harness.
 *
 * @param limits `memory`: MB. `reports`: a folder for what Node writes when it has run out of it.
 * @throws {UserError} where the target cannot be one.
 */
export function harnessCommand(
  options: HarnessOptions,
  { memory, reports }: { memory: number; reports: string },
): string[] {
  const reporting = ["--report-on-fatalerror", "--report-compact", `--report-directory=${reports}`];
  // More than the harness may take: whoever watches it is to see it first, and where it is.
  const heap = memory > 0 ? [`--max-old-space-size=${Math.ceil(memory * 1.5) + 256}`] : [];
  return [
    ...[isDeno() ? "node" : process.execPath, "--enable-source-maps", ...heap, ...reporting],
    ...[...typeOptions(options.target), HARNESS, JSON.stringify(options)],
  ];
}

/** A target's full path. */
export function checkTarget(target: string): string {
  const path = resolve(target);
  if (!existsSync(path)) {
    throw new UserError(`Cannot fuzz ${target}: no such file`, { status: USAGE });
  }
  if (!statSync(path).isFile()) {
    throw new UserError(
      `Cannot fuzz ${target}: it is no file; name the module that exports 'fuzz'`,
      {
        status: USAGE,
      },
    );
  }
  typeOptions(path);
  return path;
}

/** Options that have Node take TypeScript. */
function typeOptions(target: string): string[] {
  if (!TYPESCRIPT.includes(extname(target))) return [];
  if ((process.features as { typescript?: unknown }).typescript) return [];
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major === 22 && minor >= STRIPS_WHEN_TOLD) return ["--experimental-strip-types"];
  throw new UserError(
    `Cannot fuzz ${target}: Node ${process.versions.node} takes no TypeScript; ` +
      "use Node 22.18 or newer, or compile it to JavaScript first",
    { status: USAGE },
  );
}
