import { open, readFile, rename, rm, stat } from "node:fs/promises";
import * as path from "node:path";
import { checkJson, record, ShapeError } from "../base/shape.ts";
import { COVERED_TARGETS, type CoveredTarget, type Since } from "../messages/requests.ts";
import { packBits } from "./block_bits.ts";
import { BEFORE_RESET, type CoveredBlocks, SINCE_RESET } from "./covered_blocks.ts";
import { UserError } from "../base/user_error.ts";

/** The record that the last server of a state folder has left. */
export interface CoveredRecord {
  readonly targets: Readonly<Record<Since, readonly CoveredTarget[]>>;
  /** When it ended. */
  readonly date: Date;
  /** The user of the server. */
  readonly uid: number;
}

/** The kept result of {@linkcode coveredTargets}. */
const TARGETS = record({ start: COVERED_TARGETS, reset: COVERED_TARGETS });

/** The executed blocks of targets, in the form of messages. */
export function coveredTargets(covered: CoveredBlocks, since: Since): CoveredTarget[] {
  const least = since === "reset" ? SINCE_RESET : BEFORE_RESET;
  return [...covered.list()].map(([name, scripts]) => ({
    name,
    scripts: scripts.map(({ base, marks }) => ({ base, blocks: packBits(marks, least) })),
  }));
}

/**
 * Keeps the blocks that a server's targets have executed, for reports after its end. A folder keeps only its
 * last server's; a server without targets leaves the file as it is.
 *
 * @throws when it cannot be written; then the file stays as it was.
 */
export async function keepCovered(state: string, covered: CoveredBlocks): Promise<void> {
  const [start, reset] = [coveredTargets(covered, "start"), coveredTargets(covered, "reset")];
  if (start.length === 0) return;
  const temporary = `${recordFile(state)}.${process.pid}`;
  try {
    const handle = await open(temporary, "w", 0o600);
    try {
      // Whatever the umask.
      await handle.chmod(0o600);
      await handle.writeFile(JSON.stringify({ start, reset }));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, recordFile(state));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * @returns undefined where no server has left a record.
 * @throws when it may not be read, or is damaged.
 */
export async function readCovered(state: string): Promise<CoveredRecord | undefined> {
  const file = recordFile(state);
  try {
    const { mtime, uid } = await stat(file);
    const targets = checkJson(TARGETS, await readFile(file, "utf8"));
    return { targets, date: mtime, uid };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (!(error instanceof ShapeError)) throw error;
    throw new UserError(`Cannot read ${file}: ${error.message}; remove it`);
  }
}

function recordFile(state: string): string {
  return path.join(state, "covered.json");
}
