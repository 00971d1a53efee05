import { createHash } from "node:crypto";
import type { BlockTable } from "./block_table.ts";
import { executedBlocks } from "./executed_blocks.ts";
import { FunctionIndex } from "./function_index.ts";
import { PcBuffer } from "./pc_buffer.ts";
import { pcOfBlock } from "./pc_space.ts";
import type { SymbolTable } from "./symbol_table.ts";
import type { TableBuilder } from "./table_builder.ts";

/** Part of a script's identity: changes whenever tables are made differently. */
const TABLE_VERSION = 1;

/** A script that was collected for the first time. */
interface NewScript {
  readonly url: string;
  readonly source: string;
}

/** V8's report of one function: `Profiler.FunctionCoverage`. */
interface FunctionCoverage {
  readonly functionName: string;
  readonly ranges: readonly { startOffset: number; endOffset: number; count: number }[];
  readonly isBlockCoverage: boolean;
}

/** V8's report of one script: `Profiler.ScriptCoverage`. */
interface ScriptCoverage {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

/** A script whose blocks have PCs; targets that run the same source share it. */
interface Script {
  readonly table: BlockTable;
  readonly index: FunctionIndex;
  /** The lower half of its first block's PC. */
  readonly firstPc: number;
}

/** What an engine stands on. */
export interface EngineOptions {
  readonly symbols: SymbolTable;
  readonly tables: TableBuilder;
  readonly warn: (line: string) => void;
}

/** Turns V8's counts into PCs. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scripts = new Map<string, Promise<Script | undefined>>();
  readonly #executed = new PcBuffer();

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Adds a target.
   *
   * @param isMeasured Says by the URL whether a script of the target's is measured.
   */
  target(isMeasured: (url: string) => boolean): TargetCoverage {
    return new TargetCoverage({
      executed: this.#executed,
      isMeasured,
      load: (script) => this.#load(script),
    });
  }

  /** The lower halves of the PCs of all blocks that were absorbed as executed since the last call. */
  drain(): Uint32Array {
    return this.#executed.drain();
  }

  /** The script's table, once for all targets; undefined when it cannot be parsed. */
  #load(script: NewScript): Promise<Script | undefined> {
    const hash = createHash("sha256")
      .update(`${TABLE_VERSION} `).update(script.source).digest("hex");
    const key = `${hash} ${script.url}`;
    let loading = this.#scripts.get(key);
    if (!loading) this.#scripts.set(key, loading = this.#build(script, hash));
    return loading;
  }

  async #build(script: NewScript, hash: string): Promise<Script | undefined> {
    const { tables, symbols, warn } = this.#options;
    try {
      const { table, positions } = await tables.build(script.source);
      const segment = symbols.add({ url: script.url, hash, positions });
      return { table, index: new FunctionIndex(table), firstPc: pcOfBlock(segment.base) };
    } catch (error) {
      warn(`Cannot measure ${script.url}: ${(error as Error).message}`);
      return undefined;
    }
  }
}

/** What a target's scripts are, for `ps`. */
export interface ScriptCounts {
  /** Scripts that are measured, and their blocks. */
  readonly measured: number;
  readonly blocks: number;
  /** Scripts without a URL. */
  readonly unnamed: number;
  /** Scripts whose source could not be parsed. */
  readonly unparsed: number;
  /** Reports of functions that ran but that V8 has no block counters for. */
  readonly coarse: number;
  /** Reports of functions that the block table does not have. */
  readonly strange: number;
}

/** One target's scripts, by V8's script ids. */
export class TargetCoverage {
  readonly #executed: PcBuffer;
  readonly #isMeasured: (url: string) => boolean;
  readonly #load: (script: NewScript) => Promise<Script | undefined>;
  /** `null` for those that are not measured. */
  readonly #scripts = new Map<string, Script | null>();
  /** Reports of scripts whose table is not there yet. */
  readonly #waiting = new Map<string, ScriptCoverage[]>();
  /** Those of them whose sources were asked for. */
  readonly #asked = new Set<string>();
  #counts = { measured: 0, blocks: 0, unnamed: 0, unparsed: 0, coarse: 0, strange: 0 };
  #ignored: string[] = [];

  constructor(options: {
    executed: PcBuffer;
    isMeasured: (url: string) => boolean;
    load: (script: NewScript) => Promise<Script | undefined>;
  }) {
    this.#executed = options.executed;
    this.#isMeasured = options.isMeasured;
    this.#load = options.load;
  }

  get counts(): ScriptCounts {
    return this.#counts;
  }

  /** Script ids found not to be measured since the last call. */
  takeIgnored(): string[] {
    const ignored = this.#ignored;
    this.#ignored = [];
    return ignored;
  }

  /**
   * Takes in a collection.
   *
   * @param coverage The JSON array of script coverages, as text.
   * @returns the ids of scripts that {@linkcode learn} must be told of before their blocks count.
   * @throws {SyntaxError} when the text is not JSON.
   */
  absorb(coverage: Uint8Array): string[] {
    const text = Buffer.from(coverage.buffer, coverage.byteOffset, coverage.length).toString();
    for (const report of JSON.parse(text) as ScriptCoverage[]) {
      const script = this.#scripts.get(report.scriptId);
      if (script) this.#count(script, report);
      else if (script === undefined) this.#keep(report);
    }
    if (this.#waiting.size === this.#asked.size) return [];
    const unknown = [...this.#waiting.keys()].filter((id) => !this.#asked.has(id));
    for (const id of unknown) this.#asked.add(id);
    return unknown;
  }

  /** The sources that {@linkcode absorb} asked for could not be had: it will ask again. */
  postpone(unknown: readonly string[]): void {
    for (const id of unknown) this.#asked.delete(id);
  }

  /** Keeps a report until its script is known, if it is to be measured at all. */
  #keep(report: ScriptCoverage): void {
    const { scriptId, url } = report;
    if (!this.#isMeasured(url)) {
      if (url === "") this.#counts.unnamed++;
      this.#drop(scriptId);
      return;
    }
    const waiting = this.#waiting.get(scriptId);
    if (waiting) waiting.push(report);
    else this.#waiting.set(scriptId, [report]);
  }

  #drop(scriptId: string): void {
    this.#scripts.set(scriptId, null);
    this.#waiting.delete(scriptId);
    this.#asked.delete(scriptId);
    this.#ignored.push(scriptId);
  }

  /**
   * Learns scripts' sources; resolves when their blocks, those in earlier reports among them, are
   * counted.
   *
   * @param asked The ids that were asked for: a script that is not there any more is given up.
   */
  async learn(sources: ReadonlyMap<string, string>, asked: readonly string[]): Promise<void> {
    await Promise.all(asked.map(async (scriptId) => {
      const source = sources.get(scriptId);
      const url = this.#waiting.get(scriptId)?.[0].url;
      if (source === undefined || url === undefined) return this.#drop(scriptId);
      const script = await this.#load({ url, source });
      const waiting = this.#waiting.get(scriptId) ?? [];
      this.#waiting.delete(scriptId);
      this.#asked.delete(scriptId);
      if (!script) {
        this.#counts.unparsed++;
        return this.#drop(scriptId);
      }
      this.#scripts.set(scriptId, script);
      this.#counts.measured++;
      this.#counts.blocks += script.table.blockStart.length;
      for (const report of waiting) this.#count(script, report);
    }));
  }

  #count({ table, index, firstPc }: Script, { functions }: ScriptCoverage): void {
    const into = (block: number) => this.#executed.push(firstPc + block * 8);
    for (let i = 0; i < functions.length; i++) {
      const entry = functions[i];
      const { startOffset, endOffset, count } = entry.ranges[0];
      if (count === 0 && entry.ranges.length === 1) continue;
      let row = index.find(startOffset, endOffset);
      if (row === 0) row = index.resolve(row, entry.functionName, isRepeated(functions, i));
      if (row < 0) this.#counts.strange++;
      else {
        if (!entry.isBlockCoverage) this.#counts.coarse++;
        executedBlocks(table, row, entry, into);
      }
    }
  }
}

/** Whether a later entry is about the same range. */
function isRepeated(functions: readonly FunctionCoverage[], at: number): boolean {
  const { startOffset, endOffset } = functions[at].ranges[0];
  return functions.some(({ ranges: [range] }, i) =>
    i > at && range.startOffset === startOffset && range.endOffset === endOffset
  );
}
