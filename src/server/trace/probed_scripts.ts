import { rmSync } from "node:fs";
import { join } from "node:path";
import type { NewSource, ProbedSource } from "../../messages/protocol.ts";
import type { LiveScript } from "../../live/live_plan.ts";
import type { LoadedScript } from "../../messages/live.ts";
import { TURNS_SIZE } from "../../messages/turns.ts";
import { findSourceUrl } from "../../blocks/source_url.ts";
import type { CoveredBlocks } from "../../symbols/covered_blocks.ts";
import { StateError } from "../../blocks/state_error.ts";
import { scriptHash } from "../../symbols/script_hash.ts";
import type { SymbolTable } from "../../symbols/symbol_table.ts";
import type { Connection } from "../../fuse/mod.ts";
import { inTime } from "../../base/in_time.ts";
import { type Pipeline, type ProbedScript, withMap } from "../../scripts/pipeline.ts";
import { hasProbes, probedPcs } from "../../scripts/standalone.ts";
import type { AreaFile } from "../../kcov/mod.ts";
import { makeSharedFile, SharedFile, type SharedFileOptions } from "../../base/shared_file.ts";
import type { SharedFolder } from "../../base/shared_folder.ts";
import type { Registry } from "../../targets/registry.ts";
import type { Target } from "../../targets/target.ts";
import { LiveTargets } from "./live_targets.ts";
import { blocksOf, TracedBlocks } from "./marks.ts";
import { Tracer } from "./writers.ts";
import type { Watchdog } from "../../watchdog/mod.ts";
import { LimitedReporter, type Reporter } from "../../base/reporter.ts";

export interface TracingOptions {
  readonly registry: Registry;
  readonly pipeline: Pick<Pipeline, "probe">;
  readonly symbols: Pick<SymbolTable, "segments">;
  readonly covered: CoveredBlocks;
  readonly watchdog: Watchdog;
  /** The filter for a target's scripts, by URL. */
  readonly filterFor: (target: Target) => (url: string) => boolean;
  /** Who may open the files that probes write into. */
  readonly files: SharedFileOptions;
  /** Whether clients map the memory that probes write into, where the kernel can do that. */
  readonly isPassthrough: boolean;
  readonly reporter: Reporter;
}

/** The counts of a target's scripts, for `ps`. */
export interface ProbedCounts {
  /** Scripts with probes, and their blocks. */
  measured: number;
  blocks: number;
  /** Scripts that the globs leave out. */
  excluded?: number;
  /** Scripts whose source could not be parsed. */
  unparsed: number;
  /** Scripts that could have no PCs when they were loaded, and the reason. */
  unkept: number;
  unkeptReason?: string;
  /** Whether the program makes more scripts than can get probes. */
  isFull?: boolean;
}

/** A target's scripts. */
interface ProbedScripts {
  readonly counts: ProbedCounts;
  /** By URL: the reason why a script has no probes, or undefined if it has. */
  readonly reasons: Map<string, string | undefined>;
  /** The number of scripts that the program has made, as by `eval`, up to {@linkcode MOST_MADE}. */
  made: number;
  /** Characters of these scripts. */
  madeCharacters: number;
}

/**
 * The most scripts made by one program that get probes; below, those of all programs. Each different script
 * has PCs of its own, which are kept.
 */
const MOST_MADE = 4096;
/** Characters of the scripts made by one program. */
const MOST_MADE_CHARACTERS = 32 * 1024 * 1024;
const MOST_MADE_BY_ALL = 32 * 1024;

/** ms for a target to list its scripts. */
const LIST_TIMEOUT = 2000;
/** The most warnings of scripts that could have no PCs when they were loaded. */
const WARN_LIMITS = { most: 10, interval: 60_000 };
/** The native library that the agent loads into targets. */
const OWN = /\/node_modules\/(?:koffi|@koromix)\//;

/** The `trace` collector: probes in the targets' scripts, and the memory that they write into. */
export class Tracing implements AsyncDisposable {
  readonly tracer: Tracer;
  /** The scripts that targets had loaded before they were attached to. */
  readonly live = new LiveTargets();
  readonly #options: TracingOptions;
  readonly #folder: SharedFolder;
  /** Limits warnings that may come very often. */
  readonly #reporter: LimitedReporter;
  readonly #blocks: TracedBlocks;
  readonly #scripts = new WeakMap<Target, ProbedScripts>();
  #files = 0;
  #made = 0;

  /** @param folder The folder of the files that probes write into; it is disposed of with this object. */
  constructor(folder: SharedFolder, options: TracingOptions) {
    const { registry, symbols, reporter, watchdog } = options;
    this.#folder = folder;
    this.#options = options;
    watchdog.remove(folder.path);
    this.#reporter = new LimitedReporter(reporter, WARN_LIMITS);
    const { covered } = options;
    this.#blocks = new TracedBlocks({
      covered,
      segments: () => symbols.segments,
      makeFile: () => this.#makeFile("blocks"),
      reporter,
    });
    const makeFile = () => this.#makeFile("area");
    this.tracer = new Tracer({ registry, makeFile, blocks: this.#blocks, reporter });
  }

  /**
   * Reads the marks that probes have made by now.
   *
   * @param options `isReset`: whether marks begin anew.
   */
  async refresh({ isReset }: { isReset: boolean }): Promise<void> {
    if (isReset) await this.tracer.renewMarks();
    else this.#blocks.read();
  }

  /** Reads the marks in scripts that targets are known to have: it is quick. */
  readMarks(): void {
    this.#blocks.readKnown();
  }

  #makeFile(what: "area" | "blocks", number = this.#files++): SharedFile {
    return new SharedFile(this.#pathOf(what, number), this.#options.files);
  }

  #pathOf(what: string, number: number): string {
    return join(this.#folder.path, `${what}-${number}`);
  }

  /** Makes a file that a client maps, and beside it the file by which its writers take turns. */
  #makeArea(): AreaFile {
    const number = this.#files++;
    const turns = this.#pathOf("turns", number);
    const file = this.#makeFile("area", number);
    try {
      makeSharedFile(turns, { bytes: TURNS_SIZE, ...this.#options.files });
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    const { path, fd } = file;
    const dispose = () => {
      file[Symbol.dispose]();
      rmSync(turns, { force: true });
    };
    return { path, fd, turns, grow: (bytes) => file.grow(bytes), [Symbol.dispose]: dispose };
  }

  /**
   * The maker of the files behind a connection's areas. Undefined without passthrough, where the page cache
   * keeps areas. A kernel that has passthrough may still not let us use it, so it is tried.
   */
  filesFor({ backings }: Connection): (() => AreaFile) | undefined {
    if (!this.#options.isPassthrough || !backings) return undefined;
    try {
      using file = this.#makeFile("area");
      backings.close(backings.open(file.fd));
      return () => this.#makeArea();
    } catch (error) {
      const { message } = error as Error;
      this.#options.reporter.warn(
        `Cannot use passthrough, so targets are held while clients read: ${message}`,
      );
      return undefined;
    }
  }

  countsOf(target: Target): ProbedCounts {
    return this.#scriptsOf(target).counts;
  }

  #scriptsOf(target: Target): ProbedScripts {
    let scripts = this.#scripts.get(target);
    if (!scripts) {
      const counts = { measured: 0, blocks: 0, unparsed: 0, unkept: 0 };
      scripts = { counts, reasons: new Map(), made: 0, madeCharacters: 0 };
      this.#scripts.set(target, scripts);
    }
    return scripts;
  }

  /** Gives a target's script probes, if it is measured. Never rejects. */
  async probe(target: Target, script: NewSource): Promise<ProbedSource> {
    const { source, maker, keepsValue = false, wantsMap = false, isLive = false } = script;
    const scripts = this.#scriptsOf(target);
    if (maker !== undefined && !this.#takeMade(scripts, source.length)) return { isFull: true };
    const url = findSourceUrl(source) ?? (script.url || nameOfMade(script));
    // Programs may make scripts without end.
    const note = (reason: string | undefined) => {
      if (maker === undefined) scripts.reasons.set(url, reason);
    };
    if (!this.#options.filterFor(target)(maker || url)) {
      note("the globs leave it out");
      scripts.counts.excluded = (scripts.counts.excluded ?? 0) + 1;
      return {};
    }
    note(undefined);
    if (hasProbes(source)) {
      await this.#reserve(target, blocksOfPcs(probedPcs(source)));
      return {};
    }
    try {
      const probed = await this.#options.pipeline.probe({ url, source, keepsValue });
      if (isLive) {
        const running = await this.#probeLive(target, { url, source, firstPc: probed.firstPc });
        if (!running) return {};
        await this.#measure(target, probed);
        return { live: running };
      }
      await this.#measure(target, probed);
      const { map: _map, base: _base, ...rest } = probed;
      return wantsMap ? { code: withMap(probed) } : rest;
    } catch (error) {
      const { message } = error as Error;
      countFailure(scripts.counts, error as Error);
      note(message);
      const reporter = error instanceof StateError ? this.#reporter : this.#options.reporter;
      if (maker === undefined) reporter.warn(`Cannot measure ${url}: ${message}`);
      return {};
    }
  }

  /** The probes of a script that runs; undefined if it stays as it is. */
  async #probeLive(
    target: Target,
    script: { url: string; source: string; firstPc: number },
  ): Promise<LiveScript | undefined> {
    try {
      return await this.live.probe(target, script);
    } catch (error) {
      this.#scriptsOf(target).reasons.set(script.url, (error as Error).message);
      return undefined;
    }
  }

  /** Which of the scripts that a target has loaded already are to have probes, by their indices. */
  choose(target: Target, scripts: readonly LoadedScript[]): number[] {
    const isMeasured = this.#options.filterFor(target);
    return this.live.choose(target, scripts, (url) => isMeasured(url) && !OWN.test(url));
  }

  async #measure(target: Target, { base, blocks }: ProbedScript): Promise<void> {
    const { counts } = this.#scriptsOf(target);
    // Reports include a script of which nothing is executed, too.
    this.#options.covered.marksOf(target.info.name, { base, count: blocks });
    await this.#reserve(target, blocksOf({ base, count: blocks }));
    counts.measured++;
    counts.blocks += blocks;
  }

  /** Whether one more of the scripts that a target makes may have probes. */
  #takeMade(scripts: ProbedScripts, characters: number): boolean {
    const isFull = scripts.made >= MOST_MADE || this.#made >= MOST_MADE_BY_ALL ||
      scripts.madeCharacters + characters > MOST_MADE_CHARACTERS;
    if (isFull) {
      scripts.counts.isFull = true;
      scripts.reasons.set(
        "scripts that the program makes",
        `there are ${scripts.made} with probes or tried: those made later have none`,
      );
      return false;
    }
    scripts.made++;
    scripts.madeCharacters += characters;
    this.#made++;
    return true;
  }

  /** Before probes run, their marks have memory, or the target marks nothing. */
  async #reserve(target: Target, blocks: Iterable<number>): Promise<void> {
    if (!this.#blocks.reserve(target, blocks)) await this.tracer.update();
  }

  /** A target's scripts that have no probes, and why. */
  async unprobed(target: Target): Promise<{ url: string; reason: string }[]> {
    const { reasons } = this.#scriptsOf(target);
    const listing = target.link.listScripts?.() ?? Promise.resolve([]);
    const listed = await inTime(listing, LIST_TIMEOUT).catch(() => []);
    const isMeasured = this.#options.filterFor(target);
    const others = new Set(
      listed.filter((url) => isMeasured(url) && !OWN.test(url) && !reasons.has(url)),
    );
    return [
      ...this.live.unprobed(target),
      ...[...reasons].flatMap(([url, reason]) => reason === undefined ? [] : [{ url, reason }]),
      ...[...others].map((url) => ({
        url,
        reason: "it was compiled in a way that kcovfs does not see",
      })),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]();
    this.#blocks[Symbol.dispose]();
    await this.#folder[Symbol.asyncDispose]();
    this.#options.watchdog.keep(this.#folder.path);
  }
}

/** A name from the script that made this one, and from its text. */
function nameOfMade({ maker = "", source }: NewSource): string {
  return `${maker}.made-${scriptHash(source).slice(0, 8)}.js`;
}

function countFailure(counts: ProbedCounts, error: Error): void {
  if (error instanceof StateError) {
    counts.unkept++;
    counts.unkeptReason = error.message;
  } else counts.unparsed++;
}

function* blocksOfPcs(pcs: Iterable<number>): Generator<number> {
  for (const pc of pcs) yield pc >>> 3 & 0xfffffff;
}
