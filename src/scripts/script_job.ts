import type { PcLow } from "../symbols/pc_space.ts";
import type { BlockPlaces } from "../blocks/block_places.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import type { SourceText } from "../symbols/source_store.ts";

/** A script as a target has loaded it. */
export interface LoadedScript {
  readonly url: string;
  readonly source: string;
  /** Its source map's URL, where that is not in the source. */
  readonly mapUrl?: string;
  /** Whether its value matters, as that of `eval` does. */
  readonly keepsValue?: boolean;
}

/** A job of the thread: a script's table, or its text with probes, and the places of its blocks. */
export interface ScriptJob extends LoadedScript {
  readonly isProbed: boolean;
  /** The lower half of its first block's PC; without it, the job is the places of the blocks. */
  readonly firstPc?: PcLow;
  /** Whether to ignore its source map. */
  readonly isPlain?: boolean;
}

/** The places of a script's blocks. */
export interface PlacedBlocks extends BlockPlaces {
  /** The originals that blocks stand in, without those that are missing. */
  readonly originals: readonly SourceText[];
  /** Why its source map was not followed. */
  readonly broken?: string;
}

/** A script's text with probes. */
export interface ProbedCode {
  readonly code: string;
  /** A source map, without the source. */
  readonly map: string;
  /** Offsets into the script, each followed by the number of characters that are inserted there. */
  readonly insertions: readonly number[];
  /** SHA-256 of the code, as V8 computes it for a script. */
  readonly hash: string;
  /** How many blocks it has. */
  readonly blocks: number;
}

/** The result of a job. */
export interface ScriptParts {
  readonly places?: PlacedBlocks;
  /** For a script that is counted. */
  readonly table?: BlockTable;
  /** For a script that has PCs and gets probes. */
  readonly probed?: ProbedCode;
}

export type ScriptReply =
  | ScriptParts
  /** The script is at fault, */
  | { readonly error: string }
  /** or the machine is, for now. */
  | { readonly later: string };

/** Tells the thread's module that it was started as such. */
export const SCRIPT_WORKER = "kcovfs:script";
