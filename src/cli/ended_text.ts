import { counted, printable } from "../report/display_text.ts";
import type { EndedProcess } from "./end_namespace.ts";

/** The most names on a line. */
const MOST_NAMES = 8;

/**
 * A line about processes that were ended; undefined where there were none.
 *
 * @param targets The targets that were alive before.
 */
export function describeEnded(
  ended: readonly EndedProcess[],
  targets: readonly { readonly name: string; readonly pid: number }[],
): string | undefined {
  if (ended.length === 0) return undefined;
  const pids = new Set(ended.map(({ pid }) => pid));
  const ours = targets.filter(({ pid }) => pids.has(pid));
  const targetPids = new Set(ours.map(({ pid }) => pid));
  const others = ended.filter(({ pid }) => !targetPids.has(pid));
  const parts = [
    list("target", "targets", ours.map(({ name }) => name)),
    list(
      ours.length > 0 ? "other process" : "process",
      ours.length > 0 ? "other processes" : "processes",
      others.map(({ name }) => name),
    ),
  ].filter(Boolean);
  const killed = ended.filter(({ isKilled, hasEnded }) => isKilled && hasEnded).length;
  const left = ended.filter(({ hasEnded }) => !hasEnded).map(({ pid }) => pid);
  return `the command has ended; ended what it left running: ${parts.join(" and ")}` +
    (killed > 0 ? `; ${killed} did not end by SIGTERM and took SIGKILL` : "") +
    (left.length > 0 ? `; the kernel still has ${left.join(", ")}` : "");
}

function list(one: string, several: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const shown = names.slice(0, MOST_NAMES).map(printable);
  if (names.length > MOST_NAMES) shown.push("...");
  return `${counted(names.length, one, several)} (${shown.join(", ")})`;
}
