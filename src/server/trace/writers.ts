import type { TracedArea } from "../../messages/protocol.ts";
import { inTime } from "../../base/in_time.ts";
import { loopRound } from "../../base/loop_round.ts";
import {
  type AreaFile,
  type EnabledArea,
  inScope,
  type Mode,
  type Scope,
  type TargetPcs,
} from "../../kcov/mod.ts";
import type { Registry } from "../../targets/registry.ts";
import type { Target } from "../../targets/target.ts";
import { TraceBuffer } from "./buffer.ts";
import type { TracedBlocks } from "./marks.ts";
import { hasUnit, type Units } from "../../kcov/coherence/unit.ts";
import type { Reporter } from "../../base/reporter.ts";
import type { TargetId } from "../../kcov/mod.ts";

export interface TracerOptions {
  readonly registry: Registry;
  /** Makes a file in memory that targets can open. */
  readonly makeFile: () => AreaFile;
  /** The files in which probes mark blocks. */
  readonly blocks?: TracedBlocks;
  readonly reporter: Reporter;
}

/** The tracer's record of a target with probes. */
interface Traced {
  readonly buffers: Partial<Record<Mode, TraceBuffer>>;
  /** The list of areas that it was sent last, as text; undefined before it is welcome. */
  told: string | undefined;
  /** Why instances that are enabled now do not see it; undefined if they do. */
  unseen: string | undefined;
  /** Settled when the target has its list. */
  telling: Promise<void>;
}

/** The buffer that areas of instances need. */
interface BufferNeeds {
  readonly mode: Mode;
  readonly words: number;
}

const MODES = ["pc", "fold", "cmp"] as const;
/** The kind that {@linkcode TargetPcs} gives to a buffer's records. */
const KINDS = { pc: "trace", fold: "folded", cmp: "comparisons" } as const;
/** The reason for which a link closes when its target is let go: see {@linkcode Link.closed}. */
const DETACHED = "detached";

/**
 * Gives the probes of targets their areas: the clients' areas where those are files, else a buffer of the
 * target's own for each mode, which is drained while the target is held.
 */
export class Tracer {
  readonly #options: TracerOptions;
  readonly #traced = new Map<Target, Traced>();
  /**
   * The numbers of targets without probes, or whose last target had none, until it is detached: a target that
   * ends may come back, and instances that are opened meanwhile are to see it.
   */
  readonly #counted = new Set<TargetId>();
  /** By the owner that has them enabled. */
  readonly #areas = new Map<object, readonly EnabledArea[]>();

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /**
   * See {@linkcode Source.trace}. A target that does not answer in time is left out. Never rejects.
   *
   * @param owner The owner of these areas.
   */
  async trace(owner: object, areas: readonly EnabledArea[]): Promise<void> {
    if (areas.length > 0) this.#areas.set(owner, areas);
    else this.#areas.delete(owner);
    await this.update();
  }

  /** Makes targets mark blocks in other files. */
  async renewMarks(): Promise<void> {
    await this.#options.blocks?.renew(() => this.update());
  }

  /** Tells targets what has changed for them: other areas or targets came or went. */
  async update(): Promise<void> {
    const isAnyEnabled = this.#enabled().length > 0;
    for (const [target, { buffers }] of [...this.#traced]) {
      const isWanted = isAnyEnabled && Object.keys(buffers).length > 0;
      if (target.state === "ended" && !isWanted) this.#forget(target);
    }
    await Promise.all(this.#alive().map((target) => this.#tell(target)));
  }

  /**
   * Adds a target that is about to start, also one without probes.
   *
   * @returns a promise that resolves when it may start: no other isolate writes any more as if it were alone.
   * Undefined if none does now.
   */
  join(target: Target): Promise<void> | undefined {
    const { id, link } = target;
    if (!isTraced(target)) {
      this.#counted.add(id);
      link.closed.then((reason) => reason === DETACHED && this.#counted.delete(id));
      return undefined;
    }
    this.#counted.delete(id);
    // It does not run before it is welcome.
    target.isFree = true;
    this.#traced.set(target, {
      ...{ buffers: {}, told: undefined, unseen: undefined },
      telling: Promise.resolve(),
    });
    return this.#areasOf(target).some(({ isShared }) => isShared) ? this.update() : undefined;
  }

  /**
   * The areas that a target that has joined writes into from its start. From here on it is told of changes.
   */
  welcome(target: Target): TracedArea[] {
    const traced = this.#traced.get(target);
    if (!traced) return [];
    const areas = this.#areasOf(target);
    traced.told = JSON.stringify(areas);
    return areas;
  }

  /** See {@linkcode Source.canCompare}. */
  canCompare(scope: Scope): boolean {
    const alive = this.#options.registry.targets.filter(({ id, state }) =>
      state !== "ended" && inScope(scope, id)
    );
    return alive.length === 0 || alive.some(isTraced);
  }

  /** See {@linkcode Source.canWrite}. */
  canWrite(scope: Scope): boolean {
    return ![...this.#counted].some((target) => inScope(scope, target));
  }

  #alive(): Target[] {
    return [...this.#traced.keys()].filter(({ state }) => state !== "ended");
  }

  #enabled(): EnabledArea[] {
    return [...this.#areas.values()].flat();
  }

  #tell(target: Target): Promise<void> {
    const traced = this.#traced.get(target)!;
    const areas = this.#areasOf(target);
    const text = JSON.stringify(areas);
    if (traced.told !== undefined && text !== traced.told) {
      traced.told = text;
      traced.telling = this.#send(target, areas);
    }
    return traced.telling;
  }

  async #send(target: Target, areas: readonly TracedArea[]): Promise<void> {
    const { registry } = this.#options;
    try {
      await inTime(target.link.trace!(areas), registry.collectTimeout);
    } catch (error) {
      await loopRound();
      if (target.state !== "ended") this.#warnOf(target, error);
    }
  }

  #warnOf({ info: { name, pid } }: Target, error: unknown): void {
    const { message } = error as Error;
    this.#options.reporter.warn(
      `Target ${name} (pid ${pid}): cannot write what it executes: ${message}`,
    );
  }

  /** The file in which it marks blocks; none if there is no memory for it. */
  #marksOf(target: Target): TracedArea[] {
    const path = this.#options.blocks?.pathOf(target);
    if (path === undefined) return [];
    const rest = { words: 0, takesComparisons: false, isShared: false };
    return [{ id: path, path, takesMarks: true, ...rest }];
  }

  #areasOf(target: Target): TracedArea[] {
    const wanted = this.#enabled().filter(({ scope }) => inScope(scope, target.id));
    const direct = wanted.flatMap((area) =>
      area.path === undefined ? [] : [this.#directArea(area, area.path)]
    );
    const buffered = this.#bufferedAreas(target, wanted);
    target.isFree = buffered.length === 0;
    return [...this.#marksOf(target), ...direct, ...buffered];
  }

  /**
   * The target's own buffers, for instances whose areas are not files; a target that cannot be held has
   * none.
   */
  #bufferedAreas(target: Target, wanted: readonly EnabledArea[]): TracedArea[] {
    if (target.info.unheld !== undefined) {
      this.#noteUnseen(target, wanted.some(({ path }) => path === undefined));
      return [];
    }
    return MODES.flatMap((mode) => {
      const areas = wanted.filter((area) => area.path === undefined && area.mode === mode);
      if (areas.length === 0) return [];
      const buffer = this.#buffer(target, {
        mode,
        words: Math.max(...areas.map(({ words }) => words)),
      });
      if (!buffer) return [];
      const { path, words } = buffer;
      return [{ id: `${mode} ${words}`, path, words, ...takesOf(mode), isShared: false }];
    });
  }

  #noteUnseen(target: Target, isUnseen: boolean): void {
    const { info } = target;
    const traced = this.#traced.get(target)!;
    const reason = `instances that hold targets do not see it: ${info.unheld}`;
    if (isUnseen && traced.unseen === undefined) {
      this.#options.reporter.warn(`Target ${info.name} (pid ${info.pid}): ${reason}`);
    }
    traced.unseen = isUnseen ? reason : undefined;
  }

  /** Why instances that are enabled now do not see a target; undefined if they do. */
  whyUnseen(target: Target): string | undefined {
    return this.#traced.get(target)?.unseen;
  }

  /** A client's area, into which its targets write. */
  #directArea({ words, mode, scope, turns }: EnabledArea, path: string): TracedArea {
    const isShared = this.#alive().filter((other) => inScope(scope, other.id)).length > 1;
    const area = { id: path, path, words, ...takesOf(mode), isShared };
    return isShared && turns !== undefined ? { ...area, turns } : area;
  }

  /** The target's own buffer, of at least so many words; undefined if there is no memory for it. */
  #buffer(target: Target, { mode, words }: BufferNeeds): TraceBuffer | undefined {
    const { buffers } = this.#traced.get(target)!;
    try {
      const buffer = buffers[mode] ??= new TraceBuffer(mode, this.#options.makeFile());
      buffer.grow(words);
      return buffer;
    } catch (error) {
      this.#warnOf(target, error);
      return undefined;
    }
  }

  /** The blocks that the targets of units have executed; the targets are held or gone. */
  drain(units: Units): TargetPcs[] {
    const drained: TargetPcs[] = [];
    for (const [target, { buffers }] of this.#traced) {
      if (!hasUnit(units, this.#options.registry.unitOf(target.id))) continue;
      if (target.state !== "held" && target.state !== "ended") continue;
      for (const buffer of Object.values(buffers)) {
        const pcs = buffer.drain();
        const kind = KINDS[buffer.mode];
        if (pcs.length > 0) drained.push({ target: target.id, kind, pcs });
      }
      if (target.state === "ended") this.#forget(target);
    }
    return drained;
  }

  #forget(target: Target): void {
    for (const buffer of Object.values(this.#traced.get(target)!.buffers)) {
      buffer[Symbol.dispose]();
    }
    this.#traced.delete(target);
    this.#options.blocks?.forget(target);
  }
}

function takesOf(mode: Mode): Pick<TracedArea, "takesComparisons" | "folds"> {
  return { takesComparisons: mode === "cmp", ...(mode === "fold" && { folds: true }) };
}

function isTraced({ info }: Target): boolean {
  return info.collector === "trace";
}
