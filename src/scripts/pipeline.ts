import { setTimeout as sleep } from "node:timers/promises";
import { LateError } from "../base/in_time.ts";
import { JobThread, ThreadStartError } from "../base/job_thread.ts";
import { LimitedReporter, type Reporter } from "../base/reporter.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { findMapUrl } from "../blocks/map_url.ts";
import { inState, StateError } from "../blocks/state_error.ts";
import { mapComment } from "../probes/map_comment.ts";
import { type BlockNumber, type PcLow, pcOfBlock, type Segment } from "../symbols/pc_space.ts";
import { scriptHash } from "../symbols/script_hash.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import { KeptScripts } from "./kept_scripts.ts";
import {
  type LoadedScript,
  type PlacedBlocks,
  type ProbedCode,
  SCRIPT_WORKER,
  type ScriptJob,
  type ScriptParts,
  type ScriptReply,
} from "./script_job.ts";

/** A script whose blocks have PCs. */
export interface CountedScript {
  readonly segment: Segment;
  readonly table: BlockTable;
}

/** A script with probes. */
export interface ProbedScript extends ProbedCode {
  /** The lower half of its first block's PC. */
  readonly firstPc: PcLow;
  /** Its first block. */
  readonly base: BlockNumber;
}

export interface PipelineOptions {
  readonly symbols: SymbolTable;
  /** Keeps the sources of scripts. */
  readonly sources?: SourceStore;
  readonly reporter: Reporter;
}

/** A script has ended the thread, and would do so again. */
class CrashError extends Error {
  override name = "CrashError";
}

/** The thread can do nothing now, whatever the script. */
class ThreadError extends StateError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, { ...options, retry: PAUSE });
  }
}

/** MB; parsing recurses as deep as the source is nested. */
const STACK_SIZE = 64;
/**
 * ms that the table of a script with a map may take: the map may name files where nobody answers. Without its
 * map the script gets a table all the same.
 */
const MAP_LIMIT = 60_000;
/** Characters of scripts whose code is kept for targets that load the same. The code is some times as long. */
const MOST_KEPT = 16 * 1024 * 1024;
/** ms between two tries of work that the thread could not do; it may have had no descriptors, for example. */
const PAUSE = 250;
/** ms, of each interval of so many ms, that programs wait for their probes while the thread can do nothing. */
const PATIENCE = 10_000;
const PATIENCE_INTERVAL = 60_000;
/** Limits of the lines about scripts that are tried again. */
const WARN_LIMITS = { most: 10, interval: 60_000 };

const TOO_LARGE = "it is too large for the memory there is";
const TOO_LATE = "it takes too long, or a file that it names does not answer";

/**
 * The way from a script's text to its PCs, and to its table or its text with probes. It runs on one thread: a
 * large script occupies that for seconds, and the server goes on answering. Results are kept for targets that
 * run the same script. A script has the same PCs whether it is counted or has probes.
 */
export class Pipeline implements AsyncDisposable {
  readonly #options: PipelineOptions;
  readonly #thread = new JobThread<ScriptJob, ScriptReply>({
    module: new URL(`./script_worker${extension()}`, import.meta.url),
    name: SCRIPT_WORKER,
    job: "read a script",
    stackSize: STACK_SIZE,
  });
  readonly #tables = new Map<string, Promise<CountedScript>>();
  readonly #probed = new KeptScripts<ProbedScript>(MOST_KEPT);
  readonly #reporter: LimitedReporter;
  /** When programs last began to wait for the thread. */
  #waitingSince = -Infinity;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#reporter = new LimitedReporter(options.reporter, WARN_LIMITS);
  }

  /**
   * Resolves when the thread is ready. It needs descriptors; later there may be none left.
   *
   * @throws {ThreadStartError} when no thread can be started.
   */
  start(): Promise<void> {
    return this.#thread.start();
  }

  /**
   * A script's table. If there is none, the reason is reported once, however many targets ask.
   *
   * @throws {SyntaxError} when the source cannot be parsed.
   * @throws {StateError} when it can get no PCs now; it may be tried again.
   */
  table(script: LoadedScript): Promise<CountedScript> {
    const hash = scriptHash(script.source);
    const key = `${hash} ${script.url}`;
    let table = this.#tables.get(key);
    if (!table) {
      this.#tables.set(key, table = this.#table(script, hash));
      table.catch((error) => {
        const line = `Cannot measure ${script.url}: ${(error as Error).message}`;
        if (error instanceof StateError) {
          this.#tables.delete(key);
          this.#reporter.warn(line);
        } else if (!this.#thread.isDisposed) this.#options.reporter.warn(line);
      });
    }
    return table;
  }

  /**
   * A script's text with probes. While the thread can do nothing, this waits for a while.
   *
   * @throws {SyntaxError} when the source cannot be parsed.
   * @throws {StateError} when it can get no PCs now; it may be tried again.
   */
  async probe(script: LoadedScript): Promise<ProbedScript> {
    const { source, url, keepsValue = false } = script;
    const hash = scriptHash(source);
    // Sources that differ only in their line ends have one hash.
    const key = `${hash} ${keepsValue} ${url}`;
    let result = this.#probed.find(key, source);
    if (!result) {
      result = this.#patiently(() => this.#probe(script, hash));
      this.#probed.add(key, { source, result });
    }
    return await result;
  }

  async #table(script: LoadedScript, hash: string): Promise<CountedScript> {
    const job = { ...script, isProbed: false };
    const { segment, table } = await this.#segment(job, hash);
    if (table) return { segment, table };
    const known = await this.#ask({ ...job, firstPc: pcOfBlock(segment.base) });
    this.#check(script, { segment, blocks: known.table!.blockStart.length });
    return { segment, table: known.table! };
  }

  async #probe(script: LoadedScript, hash: string): Promise<ProbedScript> {
    const job = { ...script, isProbed: true };
    const { segment } = await this.#segment(job, hash);
    const firstPc = pcOfBlock(segment.base);
    const { probed } = await this.#ask({ ...job, firstPc });
    this.#check(script, { segment, blocks: probed!.blocks });
    return { ...probed!, firstPc, base: segment.base };
  }

  /** @throws when another version gave the script its PCs, which stand for other blocks. */
  #check({ url }: LoadedScript, { segment, blocks }: { segment: Segment; blocks: number }): void {
    if (blocks !== segment.count) throw new Error(`the symbol table has other blocks of ${url}`);
  }

  /** A script's PCs, which it has or gets; with the table if that was made on the way. */
  async #segment(job: ScriptJob, hash: string): Promise<{ segment: Segment; table?: BlockTable }> {
    const { symbols, sources } = this.#options;
    const { url, source } = job;
    const known = symbols.find({ url, hash });
    if (known && (!sources || sources.has(known))) return { segment: known };
    const { places, table } = await this.#place(job);
    const segment = inState(() => symbols.add({ ...places, url, hash }));
    if (sources?.has(segment) === false) {
      sources.keep(segment, { source, originals: places.originals });
    }
    if (!table) return { segment };
    this.#check(job, { segment, blocks: table.blockStart.length });
    return { segment, table };
  }

  /** Finds the blocks' places, by the script's map unless that cannot be followed. */
  async #place(job: ScriptJob): Promise<{ places: PlacedBlocks; table?: BlockTable }> {
    const hasMap = job.mapUrl !== undefined || findMapUrl(job.source) !== undefined;
    let parts: ScriptParts;
    let broken: string | undefined;
    try {
      parts = await this.#ask(job, hasMap ? { limit: MAP_LIMIT } : {});
      broken = parts.places!.broken;
    } catch (error) {
      // The map may have killed the thread; the PCs must not depend on it.
      const isLate = error instanceof LateError;
      if (!isLate && !(error instanceof CrashError && hasMap)) throw error;
      parts = await this.#ask({ ...job, isPlain: true });
      broken = isLate ? TOO_LATE : TOO_LARGE;
    }
    if (broken !== undefined) {
      this.#options.reporter.warn(
        `Cannot follow the source map of ${job.url}: ${broken}; its blocks are placed in itself`,
      );
    }
    return { places: parts.places!, ...(parts.table && { table: parts.table }) };
  }

  async #ask(job: ScriptJob, options: { limit?: number } = {}): Promise<ScriptParts> {
    const reply = await this.#run(job, options);
    if ("later" in reply) throw new ThreadError(reply.later);
    if ("error" in reply) throw new SyntaxError(reply.error);
    return reply;
  }

  /** Runs a job. The thread may die of something else, so only a second death is blamed on the job. */
  async #run(job: ScriptJob, options: { limit?: number }): Promise<ScriptReply> {
    for (let deaths = 0;;) {
      try {
        return await this.#thread.run(job, options);
      } catch (error) {
        const { message } = error as Error;
        if (error instanceof ThreadStartError) throw new ThreadError(message, { cause: error });
        if (error instanceof LateError || this.#thread.isDisposed) throw error;
        if (++deaths === 2) throw new CrashError(`it ends the thread that reads it: ${message}`);
      }
    }
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ThreadError) || !this.#mayWait()) throw error;
        await sleep(PAUSE);
      }
    }
  }

  /** A program may load hundreds of scripts, one after the other: the limit is for all of them together. */
  #mayWait(): boolean {
    const now = performance.now();
    if (now > this.#waitingSince + PATIENCE_INTERVAL) this.#waitingSince = now;
    return now < this.#waitingSince + PATIENCE;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#thread[Symbol.asyncDispose]();
  }
}

/** The code of a script, with its source map in it. */
export function withMap({ code, map }: Pick<ProbedCode, "code" | "map">): string {
  return code + mapComment(map);
}

/** The extension of this file, since the sources also run as they are. */
function extension(): string {
  return import.meta.url.endsWith(".ts") ? ".ts" : ".js";
}
