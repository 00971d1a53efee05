import { SINCE_RESET } from "../symbols/covered_blocks.ts";
import { CoverageReader } from "../blocks/coverage_reader.ts";
import { EnteredFunction, placeIn } from "../blocks/entered_function.ts";
import { executedBlocks } from "../blocks/executed_blocks.ts";
import { FunctionIndex } from "../blocks/function_index.ts";
import { PcBuffer } from "./pc_buffer.ts";
import type { CountedScript, Pipeline } from "./pipeline.ts";
import { type PcLow, pcOfBlock, type Segment } from "../symbols/pc_space.ts";
import type { LoadedScript } from "./script_job.ts";
import type { ScriptReport } from "../blocks/script_report.ts";
import { StateError } from "../blocks/state_error.ts";

/** A script's source, with its source map's URL if that is not in the source. */
export type ScriptText = string | { readonly source: string; readonly mapUrl?: string };

/** A script whose blocks have PCs; targets that run the same source share it. */
interface Script extends CountedScript {
  readonly index: FunctionIndex;
  /** The lower half of its first block's PC. */
  readonly firstPc: PcLow;
}

/** A script of a target's, and the marks of its blocks. */
interface Measured {
  readonly script: Script;
  readonly marks: Uint8Array;
}

/** The treatment of a target's scripts. */
export interface TargetOptions {
  /** Whether a source has probes, so that its counts are ignored. */
  readonly isProbed?: (source: string) => boolean;
  /** Returns the marks to set for executed blocks of a script: see `CoveredBlocks.marksOf`. */
  readonly marksOf?: (segment: Segment) => Uint8Array;
}

/** Turns V8's counts into PCs. */
export class Engine {
  readonly #pipeline: Pick<Pipeline, "table">;
  readonly #scripts = new WeakMap<CountedScript, Script>();

  constructor(pipeline: Pick<Pipeline, "table">) {
    this.#pipeline = pipeline;
  }

  /**
   * Adds a target.
   *
   * @param isMeasured Whether the target's script of this URL is measured.
   */
  target(isMeasured: (url: string) => boolean, options: TargetOptions = {}): TargetCoverage {
    return new TargetCoverage({
      isProbed: () => false,
      marksOf: ({ count }) => new Uint8Array(count),
      ...options,
      isMeasured,
      load: (script) => this.#load(script),
    });
  }

  /**
   * The script, which all targets share; undefined when it cannot be measured.
   *
   * @throws {StateError} when it can get no PCs now.
   */
  async #load(loaded: LoadedScript): Promise<Script | undefined> {
    const asked = this.#pipeline.table(loaded);
    let counted: CountedScript;
    try {
      counted = await asked;
    } catch (error) {
      if (error instanceof StateError) throw error;
      return undefined;
    }
    let script = this.#scripts.get(counted);
    if (!script) {
      const { table, segment } = counted;
      script = { ...counted, index: new FunctionIndex(table), firstPc: pcOfBlock(segment.base) };
      this.#scripts.set(counted, script);
    }
    return script;
  }
}

/** Counts of a target's scripts, for `ps`. */
export interface ScriptCounts {
  /** Scripts that are measured, and their blocks. */
  readonly measured: number;
  readonly blocks: number;
  /** Scripts without a URL. */
  readonly unnamed: number;
  /** Scripts whose source could not be parsed. */
  readonly unparsed: number;
  /** Scripts that have no PCs yet, and why. */
  readonly unkept: number;
  readonly unkeptReason?: string;
  /** Functions that have run without block counters in V8; they get some when V8 compiles them anew. */
  readonly coarse: number;
  /** Reports of functions that the block table does not have. */
  readonly strange: number;
}

/** Reports, as texts, of a script whose source is not known yet. */
interface Waiting {
  readonly url: string;
  reports: Uint8Array[];
  /** Reports that come too late for clients, which have read without them. Coverage reports still get them. */
  readonly late: Uint8Array[];
  lateBytes: number;
  /** Functions to be counted when the script is known. */
  readonly entered: EnteredFunction[];
  /** When it may be asked for again, and why not before. */
  retryAt: number;
  reason?: string;
}

/** Bytes of late reports that are kept for a script. */
const MOST_LATE = 4 << 20;

/** One target's scripts, by V8's script ids. */
export class TargetCoverage {
  readonly #executed = new PcBuffer();
  readonly #isMeasured: (url: string) => boolean;
  readonly #isProbed: (source: string) => boolean;
  readonly #marksOf: (segment: Segment) => Uint8Array;
  readonly #load: (script: LoadedScript) => Promise<Script | undefined>;
  /** `null` for scripts that are not measured. */
  readonly #scripts = new Map<string, Measured | null>();
  /** Reports of scripts whose table is not there yet. */
  readonly #waiting = new Map<string, Waiting>();
  /** The ids of waiting scripts whose sources were asked for. */
  readonly #asked = new Set<string>();
  readonly #reader = new CoverageReader();
  /** Functions without block counters, by script id and row of the table. */
  readonly #coarse = new Map<string, Set<number>>();
  /** The function, if any, that the last collection has interrupted at its beginning. */
  #entered: EnteredFunction | undefined;
  #counts = { measured: 0, blocks: 0, unnamed: 0, unparsed: 0, strange: 0 };
  #ignored: string[] = [];

  constructor(
    options: Required<TargetOptions> & {
      isMeasured: (url: string) => boolean;
      load: (script: LoadedScript) => Promise<Script | undefined>;
    },
  ) {
    this.#isMeasured = options.isMeasured;
    this.#isProbed = options.isProbed;
    this.#marksOf = options.marksOf;
    this.#load = options.load;
  }

  /**
   * The lower halves of the PCs of all blocks that were absorbed as executed since the last call. The view is
   * valid until the next call.
   */
  drain(): Uint32Array {
    return this.#executed.drain();
  }

  get counts(): ScriptCounts {
    const coarse = [...this.#coarse.values()].reduce((sum, { size }) => sum + size, 0);
    const reasons = [...this.#waiting.values()].flatMap(({ reason }) => reason ?? []);
    const unkept = reasons.length;
    return { ...this.#counts, coarse, unkept, ...(unkept > 0 && { unkeptReason: reasons[0] }) };
  }

  /** Ids of scripts that turned out not to be measured since the last call. */
  takeIgnored(): string[] {
    const ignored = this.#ignored;
    this.#ignored = [];
    return ignored;
  }

  /**
   * Takes in a collection.
   *
   * @param coverage The JSON array of script coverages, as text.
   * @returns the ids of scripts whose sources {@linkcode learn} needs before their blocks count.
   * @throws {SyntaxError} when the text is not JSON.
   */
  absorb(coverage: Uint8Array): string[] {
    const before = this.#entered;
    let isFirst = true;
    this.#entered = undefined;
    this.#reader.read(coverage, (report, text) => {
      const place = isFirst ? placeIn(report) : undefined;
      isFirst = false;
      if (place) {
        this.#entered = before?.isAt(place) ? before : new EnteredFunction(place);
        return;
      }
      if (before !== this.#entered) before?.drop(report);
      this.#entered?.find(report);
      const measured = this.#scripts.get(report.scriptId);
      if (measured) this.#count(measured, report);
      else if (measured === undefined) this.#keep(report, text);
    });
    if (before && before !== this.#entered) this.#tell(before);
    if (this.#waiting.size === this.#asked.size) return [];
    const now = performance.now();
    const unknown = [...this.#waiting]
      .flatMap(([id, { retryAt }]) => this.#asked.has(id) || retryAt > now ? [] : [id]);
    for (const id of unknown) this.#asked.add(id);
    return unknown;
  }

  /** Counts a function that the last collection has interrupted and that is missing in this one. */
  #tell(entered: EnteredFunction): void {
    const found: { measured: Measured; row: number }[] = [];
    for (const scriptId of entered.scriptIds) {
      const waiting = this.#waiting.get(scriptId);
      // A script that could get no PCs is late, so clients must not be told of the function.
      if (waiting?.retryAt === 0) waiting.entered.push(entered);
      const measured = this.#scripts.get(scriptId);
      if (!measured) continue;
      const row = entered.rowIn(scriptId, measured.script);
      if (row !== undefined) found.push({ measured, row });
    }
    // If several scripts have this name, the function could be in any of them.
    if (found.length === 1) this.#addAll(found[0].measured, found[0].row);
  }

  #addAll({ script, marks }: Measured, row: number): void {
    const { firstBlock } = script.table;
    for (let block = firstBlock[row]; block < firstBlock[row + 1]; block++) {
      this.#executed.push(script.firstPc + block * 8);
      marks[block] = SINCE_RESET;
    }
  }

  /** The sources that {@linkcode absorb} asked for could not be had: it will ask again. */
  postpone(unknown: readonly string[]): void {
    for (const id of unknown) this.#asked.delete(id);
  }

  /** Keeps a report until its script is known, unless the script is not measured. */
  #keep({ scriptId, url }: ScriptReport, text: Uint8Array): void {
    if (!this.#isMeasured(url)) {
      if (url === "") this.#counts.unnamed++;
      this.#drop(scriptId);
      return;
    }
    // A copy: the rest of the collection is not needed any more.
    const report = Buffer.concat([OPENING, text, CLOSING]);
    const waiting = this.#waiting.get(scriptId);
    if (!waiting) {
      const entry = { url, reports: [report], late: [], lateBytes: 0, retryAt: 0, entered: [] };
      this.#waiting.set(scriptId, entry);
    } else if (waiting.retryAt > performance.now()) keepLate(waiting, [report]);
    else waiting.reports.push(report);
  }

  #drop(scriptId: string): void {
    this.#scripts.set(scriptId, null);
    this.#waiting.delete(scriptId);
    this.#asked.delete(scriptId);
    this.#ignored.push(scriptId);
  }

  /**
   * Learns scripts' sources. Resolves when their blocks are counted, with those in earlier reports.
   *
   * @param asked The ids that were asked for: a script without a source here is gone, and is given up.
   */
  async learn(sources: ReadonlyMap<string, ScriptText>, asked: readonly string[]): Promise<void> {
    await Promise.all(asked.map(async (scriptId) => {
      const text = sources.get(scriptId);
      const url = this.#waiting.get(scriptId)?.url;
      if (text === undefined || url === undefined) return this.#drop(scriptId);
      const source = typeof text === "string" ? { source: text } : text;
      if (this.#isProbed(source.source)) return this.#drop(scriptId);
      const script = await this.#tryLoad(scriptId, { ...source, url });
      if (script === "later") return;
      const { reports = [], late = [], entered = [] } = this.#waiting.get(scriptId) ?? {};
      this.#waiting.delete(scriptId);
      this.#asked.delete(scriptId);
      if (!script) {
        this.#counts.unparsed++;
        return this.#drop(scriptId);
      }
      const measured = { script, marks: this.#marksOf(script.segment) };
      this.#scripts.set(scriptId, measured);
      this.#counts.measured++;
      this.#counts.blocks += script.table.blockStart.length;
      for (const text of late) {
        this.#reader.read(text, (report) => this.#count(measured, report, { isLate: true }));
      }
      for (const text of reports) {
        this.#reader.read(text, (report) => this.#count(measured, report));
      }
      for (const call of entered) {
        const row = call.rowIn(scriptId, script);
        if (row !== undefined) this.#addAll(measured, row);
      }
    }));
  }

  /** @returns "later" when the script can get no PCs now: it is asked for again. */
  async #tryLoad(scriptId: string, script: LoadedScript): Promise<Script | undefined | "later"> {
    try {
      return await this.#load(script);
    } catch (error) {
      const waiting = this.#waiting.get(scriptId);
      if (!(error instanceof StateError) || !waiting) throw error;
      const { reports } = waiting;
      waiting.reports = [];
      waiting.entered.length = 0;
      keepLate(waiting, reports);
      waiting.reason = error.message;
      waiting.retryAt = performance.now() + error.retry;
      this.#asked.delete(scriptId);
      return "later";
    }
  }

  #addCoarse(scriptId: string, row: number): void {
    let rows = this.#coarse.get(scriptId);
    if (!rows) this.#coarse.set(scriptId, rows = new Set());
    rows.add(row);
  }

  #count({ script, marks }: Measured, report: ScriptReport, { isLate = false } = {}): void {
    const { table, index: rows, firstPc } = script;
    const into = isLate
      ? (block: number) => void (marks[block] = SINCE_RESET)
      : (block: number) => {
        this.#executed.push(firstPc + block * 8);
        marks[block] = SINCE_RESET;
      };
    const { firstRange, start, end, count, isBlockCoverage, scriptId } = report;
    const coarse = this.#coarse.get(scriptId);
    for (let index = 0; index < report.length; index++) {
      const range = firstRange[index];
      if (range === firstRange[index + 1]) {
        this.#counts.strange++;
        continue;
      }
      if (count[range] === 0 && firstRange[index + 1] - range === 1) continue;
      let row = rows.find(start[range], end[range]);
      if (row === 0) row = rows.resolve(row, report.nameOf(index), report.isRepeated(index));
      if (row < 0) this.#counts.strange++;
      else {
        if (isBlockCoverage[index] === 0) this.#addCoarse(scriptId, row);
        else coarse?.delete(row);
        executedBlocks(table, row, { report, index }, into);
      }
    }
  }
}

function keepLate(waiting: Waiting, reports: readonly Uint8Array[]): void {
  for (const report of reports) {
    if (waiting.lateBytes + report.length > MOST_LATE) return;
    waiting.lateBytes += report.length;
    waiting.late.push(report);
  }
}

const OPENING = Buffer.from("[");
const CLOSING = Buffer.from("]");
