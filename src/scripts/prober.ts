import { findMapUrl } from "../blocks/map_url.ts";
import { pcOfBlock } from "../symbols/pc_space.ts";
import { scriptHash } from "../symbols/script_hash.ts";
import { inState } from "../blocks/state_error.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import { type BuiltTable, MAP_LIMIT, STACK_SIZE, TOO_LATE } from "./table_builder.ts";
import { LateError } from "../base/in_time.ts";
import { mapComment } from "../probes/map_comment.ts";
import { JobThread } from "../base/job_thread.ts";
import { KeptScripts } from "./kept_scripts.ts";

/** A script that is to have probes. */
export interface PlainScript {
  readonly url: string;
  readonly source: string;
  /** Whether its value matters. */
  readonly keepsValue?: boolean;
}

/** A script with probes. */
export interface ProbedScript {
  readonly code: string;
  /** A source map, without the source. */
  readonly map: string;
  /** What is not of the script: offsets into it, each followed by how many characters come there. */
  readonly insertions: readonly number[];
  /** SHA-256 of the code, as V8 has it of a script. */
  readonly hash: string;
  /** How many blocks it has. */
  readonly blocks: number;
  /** Lower half of the PC of its first block. */
  readonly firstPc: number;
  /** Its first block's number. */
  readonly base: number;
}

/** What the thread is asked: for the blocks of a script, or for its code, by the PC of its first block. */
export interface ProbeRequest extends PlainScript {
  readonly firstPc?: number;
  /** Whether its source map is left alone. */
  readonly isPlain?: boolean;
}

export type ProbeReply =
  | { readonly built: BuiltTable }
  | Pick<ProbedScript, "code" | "map" | "insertions" | "hash" | "blocks">
  | { readonly error: string };

/** What a prober stands on. */
export interface ProberOptions {
  readonly symbols: SymbolTable;
  /** Keeps the sources of scripts. */
  readonly sources?: SourceStore;
  readonly warn: (line: string) => void;
}

/** Tells the worker's module that it was started as such. */
export const PROBE_WORKER = "kcovfs:probe";

/** Characters of the scripts whose code is kept for targets that load the same; it is some times as long. */
const MOST_KEPT = 16 * 1024 * 1024;

/**
 * Puts probes into scripts, on a thread of its own. Their blocks have the PCs that they have in the symbol
 * table, or get there: those of the `v8` collector.
 */
export class Prober implements AsyncDisposable {
  readonly #options: ProberOptions;
  readonly #thread = new JobThread<ProbeRequest, ProbeReply>({
    module: new URL(`./probe_worker${extension()}`, import.meta.url),
    name: PROBE_WORKER,
    job: "put probes into a script",
    stackSize: STACK_SIZE,
  });
  readonly #kept = new KeptScripts<ProbedScript>(MOST_KEPT);

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /**
   * @throws {SyntaxError} when the source cannot be parsed.
   * @throws {StateError} when it can have no PCs now; it may be tried again.
   */
  async probe(script: PlainScript): Promise<ProbedScript> {
    const { source, url, keepsValue = false } = script;
    const hash = scriptHash(source);
    // Sources that differ in their line ends alone have one hash.
    const key = `${hash} ${keepsValue} ${url}`;
    let result = this.#kept.find(key, source);
    if (!result) this.#kept.add(key, { source, result: result = this.#probe(script, hash) });
    return await result;
  }

  async #probe(script: PlainScript, hash: string): Promise<ProbedScript> {
    const { symbols, sources } = this.#options;
    const known = symbols.find({ url: script.url, hash });
    const isKept = !sources || (known && sources.has(known));
    const segment = known && isKept ? known : await this.#addSymbols(script, hash);
    const firstPc = pcOfBlock(segment.base);
    const reply = await this.#ask({ ...script, firstPc });
    if (!("code" in reply)) throw new Error(`Cannot put probes into ${script.url}`);
    // Made by another version: its PCs mean other blocks.
    if (reply.blocks !== segment.count) {
      throw new Error(`Cannot put probes into ${script.url}: the symbol table has other blocks`);
    }
    return { ...reply, firstPc, base: segment.base };
  }

  async #addSymbols(script: PlainScript, hash: string) {
    const { symbols, sources, warn } = this.#options;
    const limit = findMapUrl(script.source) === undefined ? {} : { limit: MAP_LIMIT };
    const reply = await this.#ask(script, limit).catch((error) => {
      // The thread died, perhaps of the map.
      if (error instanceof SyntaxError || this.#thread.isDisposed) throw error;
      if (error instanceof LateError) {
        warn(`Cannot follow the source map of ${script.url}: ${TOO_LATE}`);
      }
      return this.#ask({ ...script, isPlain: true });
    });
    if (!("built" in reply)) throw new Error(`Cannot find the blocks of ${script.url}`);
    const { built } = reply;
    if (built.broken) {
      warn(`Cannot follow the source map of ${script.url}: ${built.broken}`);
    }
    const segment = inState(() => symbols.add({ ...built, url: script.url, hash }));
    sources?.keep(segment, { source: script.source, originals: built.originals });
    return segment;
  }

  async #ask(request: ProbeRequest, options: { limit?: number } = {}): Promise<ProbeReply> {
    const reply = await this.#thread.run(request, options);
    if ("error" in reply) throw new SyntaxError(reply.error);
    return reply;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#thread[Symbol.asyncDispose]();
  }
}

/** The code of a script, with its source map in it. */
export function withMap({ code, map }: Pick<ProbedScript, "code" | "map">): string {
  return code + mapComment(map);
}

/** Sources run as they are, too. */
function extension(): string {
  return import.meta.url.endsWith(".ts") ? ".ts" : ".js";
}
