import { readFile, rename, stat, writeFile } from "node:fs/promises";
import * as path from "node:path";
import type { CoveredTarget, Since } from "./control_client.ts";
import { packBits } from "./coverage/block_bits.ts";
import { BEFORE_RESET, type CoveredBlocks, SINCE_RESET } from "./coverage/covered_blocks.ts";

/** What the last server of a state folder has left. */
export interface CoveredRecord {
  readonly targets: Readonly<Record<Since, readonly CoveredTarget[]>>;
  /** When it ended. */
  readonly date: Date;
}

/** What targets have executed, as it is told. */
export function coveredTargets(covered: CoveredBlocks, since: Since): CoveredTarget[] {
  const least = since === "reset" ? SINCE_RESET : BEFORE_RESET;
  return [...covered.list()].map(([name, scripts]) => ({
    name,
    scripts: scripts.map(({ base, marks }) => ({ base, blocks: packBits(marks, least) })),
  }));
}

/**
 * Keeps what a server's targets have executed, for reports after its end. The last server of a folder is the
 * one that is kept; one without targets leaves what is there.
 *
 * @throws when it cannot be written.
 */
export async function keepCovered(state: string, covered: CoveredBlocks): Promise<void> {
  const [start, reset] = [coveredTargets(covered, "start"), coveredTargets(covered, "reset")];
  if (start.length === 0) return;
  const temporary = `${recordFile(state)}.${process.pid}`;
  await writeFile(temporary, JSON.stringify({ start, reset }), { mode: 0o600 });
  await rename(temporary, recordFile(state));
}

/** @returns undefined where no server has left anything, or what cannot be read. */
export async function readCovered(state: string): Promise<CoveredRecord | undefined> {
  try {
    const file = recordFile(state);
    const targets = JSON.parse(await readFile(file, "utf8")) as CoveredRecord["targets"];
    return { targets, date: (await stat(file)).mtime };
  } catch {
    return undefined;
  }
}

function recordFile(state: string): string {
  return path.join(state, "covered.json");
}
