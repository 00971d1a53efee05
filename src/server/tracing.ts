import { rmSync } from "node:fs";
import { join } from "node:path";
import type { NewSource, ProbedSource } from "../messages/protocol.ts";
import type { LiveScript } from "../live/live_plan.ts";
import type { LoadedScript } from "../messages/live.ts";
import { TURNS_SIZE } from "../messages/turns.ts";
import { findSourceUrl } from "../blocks/source_url.ts";
import type { CoveredBlocks } from "../symbols/covered_blocks.ts";
import { StateError } from "../blocks/state_error.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";
import type { Connection } from "../fuse/mod.ts";
import { inTime } from "../base/in_time.ts";
import { Prober } from "../scripts/prober.ts";
import { hasProbes, probedPcs } from "../scripts/standalone.ts";
import type { AreaFile } from "../kcov/mod.ts";
import { makeSharedFile, SharedFile, type SharedFileOptions } from "../base/shared_file.ts";
import type { SharedFolder } from "../base/shared_folder.ts";
import type { Registry } from "../targets/registry.ts";
import type { Target } from "../targets/target.ts";
import { LiveTargets } from "./live_targets.ts";
import { blocksOf, TracedBlocks } from "./traced_blocks.ts";
import { Tracer } from "./tracer.ts";
import type { Watchdog } from "../watchdog/mod.ts";

export interface TracingOptions {
  readonly registry: Registry;
  readonly symbols: SymbolTable;
  /** Keeps the sources of scripts. */
  readonly sources?: SourceStore;
  readonly covered: CoveredBlocks;
  readonly watchdog: Watchdog;
  /** Which scripts of a target have probes, by URL. */
  readonly filterFor: (target: Target) => (url: string) => boolean;
  /** Who may open the files that probes write into. */
  readonly files: SharedFileOptions;
  /** Whether clients map the memory that probes write into, where the kernel can do that. */
  readonly isPassthrough: boolean;
  readonly warn: (line: string) => void;
}

/** What a target's scripts are, for `ps`. */
export interface ProbedCounts {
  /** Scripts with probes, and their blocks. */
  measured: number;
  blocks: number;
  /** Scripts whose source could not be parsed. */
  unparsed: number;
  /** Scripts that could have no PCs when they were loaded, and why not. */
  unkept: number;
  unkeptReason?: string;
}

/** A target's scripts. */
interface ProbedScripts {
  readonly counts: ProbedCounts;
  /** By URL: why they have no probes, or nothing where they do. */
  readonly reasons: Map<string, string | undefined>;
}

/** ms that a target is given to list its scripts. */
const LIST_TIMEOUT = 2000;
/** The native library that the agent loads into targets. */
const OWN = /\/node_modules\/(?:koffi|@koromix)\//;

/** The `trace` collector: probes in the targets' scripts, and the memory that they write into. */
export class Tracing implements AsyncDisposable {
  readonly tracer: Tracer;
  /** The scripts that targets had loaded before they were attached to. */
  readonly live = new LiveTargets();
  readonly #options: TracingOptions;
  readonly #folder: SharedFolder;
  readonly #prober: Prober;
  readonly #blocks: TracedBlocks;
  readonly #scripts = new WeakMap<Target, ProbedScripts>();
  #files = 0;

  /** @param folder Where the files are that probes write into; it is disposed of with this object. */
  constructor(folder: SharedFolder, options: TracingOptions) {
    const { registry, symbols, sources, warn, watchdog } = options;
    this.#folder = folder;
    this.#options = options;
    watchdog.remove(folder.path);
    this.#prober = new Prober({ symbols, warn, ...(sources && { sources }) });
    const { covered } = options;
    this.#blocks = new TracedBlocks({
      covered,
      segments: () => symbols.segments,
      makeFile: () => this.#makeFile("blocks"),
      warn,
    });
    const makeFile = () => this.#makeFile("area");
    this.tracer = new Tracer({ registry, makeFile, blocks: this.#blocks, warn });
  }

  /**
   * Takes in what probes have marked by now.
   *
   * @param options `isReset`: whether they are to begin anew.
   */
  async refresh({ isReset }: { isReset: boolean }): Promise<void> {
    if (isReset) await this.tracer.renewMarks();
    else this.#blocks.read();
  }

  /** Takes in what probes have marked in scripts that targets are known to have: it is quick. */
  readMarks(): void {
    this.#blocks.readKnown();
  }

  #makeFile(what: "area" | "blocks", number = this.#files++): SharedFile {
    return new SharedFile(this.#pathOf(what, number), this.#options.files);
  }

  #pathOf(what: string, number: number): string {
    return join(this.#folder.path, `${what}-${number}`);
  }

  /** Makes a file that a client maps, and beside it the one by which those who write into it take turns. */
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
   * What makes the files behind a connection's areas; undefined where they are kept by its page cache, for
   * want of passthrough: that the kernel has it does not mean that we may use it.
   */
  filesFor({ backings }: Connection): (() => AreaFile) | undefined {
    if (!this.#options.isPassthrough || !backings) return undefined;
    try {
      using file = this.#makeFile("area");
      backings.close(backings.open(file.fd));
      return () => this.#makeArea();
    } catch (error) {
      const { message } = error as Error;
      this.#options.warn(
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
      scripts = { counts: { measured: 0, blocks: 0, unparsed: 0, unkept: 0 }, reasons: new Map() };
      this.#scripts.set(target, scripts);
    }
    return scripts;
  }

  /** Gives a target's script probes, where it is measured. Never rejects. */
  async probe(target: Target, { url: loaded, source, live }: NewSource): Promise<ProbedSource> {
    const url = findSourceUrl(source) ?? loaded;
    const { counts, reasons } = this.#scriptsOf(target);
    if (!this.#options.filterFor(target)(url)) {
      reasons.set(url, "the globs leave it out");
      return {};
    }
    reasons.set(url, undefined);
    if (hasProbes(source)) {
      await this.#reserve(target, blocksOfPcs(probedPcs(source)));
      return {};
    }
    try {
      const { code, blocks, base, firstPc } = await this.#prober.probe({ url, source });
      const script = live && await this.#probeLive(target, { url, source, firstPc });
      if (live && !script) return {};
      // A script of which nothing is executed is in reports, too.
      this.#options.covered.marksOf(target.info.name, { base, count: blocks });
      await this.#reserve(target, blocksOf({ base, count: blocks }));
      counts.measured++;
      counts.blocks += blocks;
      return script ? { live: script } : { code };
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof StateError) {
        counts.unkept++;
        counts.unkeptReason = message;
      } else counts.unparsed++;
      reasons.set(url, message);
      this.#options.warn(`Cannot measure ${url}: ${message}`);
      return {};
    }
  }

  /** What a script gets that runs; undefined where it stays as it is. */
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

  /** Before probes run, there is memory for what they mark, or they mark nothing. */
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
        reason: "no loader loaded it: `vm`, `eval`, a command line",
      })),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]();
    await this.#prober[Symbol.asyncDispose]();
    this.#blocks[Symbol.dispose]();
    await this.#folder[Symbol.asyncDispose]();
    this.#options.watchdog.keep(this.#folder.path);
  }
}

function* blocksOfPcs(pcs: Iterable<number>): Generator<number> {
  for (const pc of pcs) yield pc >>> 3 & 0xfffffff;
}
