/** The rows of `hit_bench.ts`. */
import { type AreaOptions } from "./probes_alone.ts";

/** A probe in a loop. */
export interface HitRow {
  readonly name: string;
  readonly probe: string;
  /** The areas of enabled instances. */
  readonly areas: readonly AreaOptions[];
  /** How many records are written in all, if that is not one a pass. */
  readonly records?: number;
  readonly isBeyondWindow?: boolean;
  /** Whether the area is folded, more than once. */
  readonly isFolded?: boolean;
  /** Flags for Node. */
  readonly flags?: readonly string[];
}

/** The lower half of a PC, as probes have it. */
const PC = -2126008808;
const HIT = `__kcov(${PC})`;
/** Of 64 blocks in turn. */
const HITS = `__kcov(${PC} + 8 * (i & 63))`;
const COMPARISON = `__kcov_const(${PC}, i, 7)`;
/** Words of an area that is full at once. */
const FEW = 64;
const NOT_OPTIMISED = ["--no-opt", "--no-maglev"];

export const HIT_ROWS: readonly HitRow[] = [
  { name: "one instance", probe: HIT, areas: [{}] },
  { name: "its area full", probe: HIT, areas: [{ words: FEW }], records: FEW - 1 },
  { name: "no instance", probe: HIT, areas: [], records: 0 },
  { name: "one that folds, not full", probe: HIT, areas: [{ folds: true }] },
  { name: "64 blocks, one instance", probe: HITS, areas: [{}] },
  {
    name: "64 blocks, one that folds",
    probe: HITS,
    areas: [{ words: 1 << 16, folds: true }],
    isFolded: true,
  },
  { name: "others write, too", probe: HIT, areas: [{ isShared: true }] },
  { name: "two instances", probe: HIT, areas: [{}, {}] },
  {
    name: "beyond the window",
    probe: HIT,
    areas: [{ words: 2 * (1 << 20) }],
    isBeyondWindow: true,
  },
  { name: "one instance, code not optimised", probe: HIT, areas: [{}], flags: NOT_OPTIMISED },
  {
    name: "no instance, code not optimised",
    probe: HIT,
    areas: [],
    records: 0,
    flags: NOT_OPTIMISED,
  },
  { name: "a comparison, nobody asks", probe: COMPARISON, areas: [], records: 0 },
  {
    name: "a comparison, recorded",
    probe: COMPARISON,
    areas: [{ takesComparisons: true }],
  },
];
