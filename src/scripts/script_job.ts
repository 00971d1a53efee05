import type { BlockPlaces } from "../blocks/block_places.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import type { SourceText } from "../symbols/source_store.ts";

/** A script as a target has it. */
export interface LoadedScript {
  readonly url: string;
  readonly source: string;
  /** Its source map's URL, where that is not in the source. */
  readonly mapUrl?: string;
  /** Whether its value matters, as that of `eval` does. */
  readonly keepsValue?: boolean;
}

/** What the thread is asked: for a script's table, or its text with probes, and where its blocks stand. */
export interface ScriptJob extends LoadedScript {
  readonly isProbed: boolean;
  /** Lower half of the PC of its first block; without it, it is asked where the blocks stand. */
  readonly firstPc?: number;
  /** Whether its source map is left alone. */
  readonly isPlain?: boolean;
}

/** Where a script's blocks stand. */
export interface PlacedBlocks extends BlockPlaces {
  /** The originals that blocks stand in, as far as they are there. */
  readonly originals: readonly SourceText[];
  /** Why its source map was not followed. */
  readonly broken?: string;
}

/** A script's text with probes. */
export interface ProbedCode {
  readonly code: string;
  /** A source map, without the source. */
  readonly map: string;
  /** What is not of the script: offsets into it, each followed by how many characters come there. */
  readonly insertions: readonly number[];
  /** SHA-256 of the code, as V8 has it of a script. */
  readonly hash: string;
  /** How many blocks it has. */
  readonly blocks: number;
}

/** What the thread has made. */
export interface ScriptParts {
  readonly places?: PlacedBlocks;
  /** Of a script that is counted. */
  readonly table?: BlockTable;
  /** Of one that has PCs and is to have probes. */
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
