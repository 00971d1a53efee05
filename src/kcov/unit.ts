import type { Units } from "./units.ts";

/**
 * The unit of all that no line's scope names. It is split when a line names one of them, and one that no
 * line names any more is taken in again.
 */
export const REST = 0;

/** What the targets of a unit do. */
export type Phase =
  | { readonly kind: "running" }
  /**
   * They are being collected from and held. `slow`: how often it was found to take longer, twice as long
   * each time.
   */
  | { readonly kind: "stopping"; readonly serial: number; readonly slow: number }
  | Hold;

/** None runs, and all that any did is in the areas of the enabled instances that it concerns. */
export interface Hold {
  readonly kind: "held";
  readonly serial: number;
  /** In µs. */
  readonly since: number;
}

export const RUNNING: Phase = { kind: "running" };

/** µs that targets run at least between two holds, and at most when clients do nothing but poll. */
const RUN = { least: 20, most: 2000 } as const;

/** Targets that are stopped and let go together. */
export class Unit {
  phase: Phase = RUNNING;
  /** Holds in a row in which no client learned or did anything. */
  polls = 0;
  /** µs that it must be let run before it is stopped again. */
  run = 0;
  /** In this hold a client has learned or done something. */
  isFruitful = false;

  copy(): Unit {
    const unit = new Unit();
    unit.phase = this.phase;
    unit.polls = this.polls;
    unit.run = this.run;
    unit.isFruitful = this.isFruitful;
    return unit;
  }

  /** Ends the hold. */
  release(hold: Hold, now: number): void {
    this.polls = this.isFruitful ? 0 : Math.min(this.polls + 1, 8);
    this.run = this.polls === 0
      ? Math.min(Math.max(RUN.least, (now - hold.since) / 4), RUN.most)
      : Math.min(RUN.least << this.polls, RUN.most);
    this.phase = RUNNING;
  }
}

/** What a unit stands for: {@linkcode REST} for all but the others. */
export function unitsOf(id: number, units: ReadonlyMap<number, unknown>): Units {
  if (id !== REST) return { only: [id] };
  return { except: [...units.keys()].filter((other) => other !== REST) };
}
