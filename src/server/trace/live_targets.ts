import type { LiveReport, LoadedScript } from "../../messages/live.ts";
import type { LiveProgress } from "../../messages/requests.ts";
import type { LiveScript } from "../../live/live_plan.ts";
import { LiveProber, type LiveRequest } from "../../scripts/live_prober.ts";
import type { Target } from "../../targets/target.ts";

/** A target's scripts that had run before it was attached to. */
interface LiveTarget {
  scripts: number;
  tried: number;
  isDone: boolean;
  readonly labels: Map<string, readonly string[]>;
  readonly reports: Map<string, LiveReport>;
}

/** A function, or a script, that has no probes, and why. */
export interface Unprobed {
  readonly url: string;
  readonly reason: string;
}

/** V8's refusals, in plain words. */
const REASONS: Readonly<Record<string, string>> = {
  BlockedByActiveGenerator: "it waits, and V8 changes it when it does not",
  BlockedByActiveFunction: "it runs, and V8 changes it when it does not",
  BlockedByTopLevelEsModuleChange: "V8 takes it for a part of its module's top level",
  ClassFields: "V8 does not change the fields of classes",
  FunctionBoundary: "a part of it, where V8 changes none: another function begins or ends there",
  LongLine: "V8 compares no lines of more than 800 characters",
};

/** The scripts that targets had loaded before they were attached to, on their way to probes. */
export class LiveTargets implements AsyncDisposable {
  readonly #prober = new LiveProber();
  readonly #targets = new WeakMap<Target, LiveTarget>();

  /**
   * Which scripts are to have probes, and in which order: those of packages last, and large ones after small ones,
   * for they stop the program the longest.
   *
   * @returns indices.
   */
  choose(
    target: Target,
    scripts: readonly LoadedScript[],
    isMeasured: (url: string) => boolean,
  ): number[] {
    const chosen = [...scripts.keys()].filter((index) => isMeasured(scripts[index].url));
    const rank = (index: number) => scripts[index].url.includes("/node_modules/") ? 1 : 0;
    chosen.sort((a, b) => rank(a) - rank(b) || scripts[a].length - scripts[b].length);
    this.#targets.set(target, {
      scripts: chosen.length,
      tried: 0,
      isDone: false,
      labels: new Map(),
      reports: new Map(),
    });
    return chosen;
  }

  /** @throws {Error} that says why a script can have no probes while it runs. */
  async probe(target: Target, script: LiveRequest & { url: string }): Promise<LiveScript> {
    const { source, firstPc } = script;
    const { script: live, labels } = await this.#prober.probe({ source, firstPc });
    this.#targets.get(target)?.labels.set(script.url, labels);
    return live;
  }

  /** Takes in how far a script has come, or that all were tried. */
  take(target: Target, report: LiveReport | undefined): void {
    const live = this.#targets.get(target);
    if (!live) return;
    if (!report) live.isDone = true;
    else if (live.reports.has(report.url)) live.reports.set(report.url, report);
    else {
      live.tried = Math.min(live.tried + 1, live.scripts);
      live.reports.set(report.url, report);
    }
  }

  /** Undefined where a target was not attached to. */
  progressOf(target: Target): LiveProgress | undefined {
    const live = this.#targets.get(target);
    if (!live) return undefined;
    const { tried, scripts, isDone } = live;
    return { tried, scripts, isDone, refused: this.unprobed(target).length };
  }

  /** Functions, and whole scripts, that are as they were. */
  unprobed(target: Target): Unprobed[] {
    const { reports, labels } = this.#targets.get(target) ?? {};
    return [...reports?.values() ?? []].flatMap(({ url, refused, reason }) => [
      ...reason === undefined ? [] : [{ url, reason }],
      ...refused.map(({ row, status }) => {
        const label = labels?.get(url)?.[row] ?? `function ${row}`;
        return { url, reason: `${label}: ${REASONS[status] ?? `V8 says ${status}`}` };
      }),
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#prober[Symbol.asyncDispose]();
  }
}
