/** Runs sources plain under V8's coverage, and with probes, and compares the executed blocks. */

import { prepare, type Prepared } from "../../src/probes/prepare.ts";
import { executedOf } from "../blocks/truth.ts";
import {
  type GoalSource,
  type Observation,
  printSlots,
  reportSources,
} from "../blocks/v8_answers.ts";
import { type Cause, Causes } from "./named_causes.ts";

/** The result of a comparison. */
export interface Verdict {
  /** The number of blocks that V8 reported as executed, summed over the rounds of all sources. */
  blocks: number;
  /** The errors that the sources threw. */
  readonly errors: readonly string[];
  /** How often each cause made the two differ. */
  readonly named: Partial<Record<Cause, number>>;
  /** Differences without a cause. */
  readonly unnamed: string[];
}

/** The PC of no block. */
const FIRST_PC = 0x9abcde00;

/**
 * Runs each source on a Node, some rounds, with and without probes, and compares after each round.
 */
export function compareSources(node: string, sources: readonly GoalSource[]): Verdict {
  const prepared = sources.map(({ goal, source }) =>
    prepare(source, { isModule: goal === "module" })
  );
  const list = sources.flatMap((source, seed) => [
    { ...source, seed },
    { ...source, seed, source: probed(prepared[seed]) },
  ]);
  const { observations, errors } = reportSources(node, list);
  const roundsOf = (number: number) =>
    observations.filter(({ url }) => url === `fixture:${number}`);
  const printed = printSlots(node, sources);
  const verdict: Verdict = { blocks: 0, errors, named: {}, unnamed: [] };
  for (const [number, source] of sources.entries()) {
    const causes = new Causes(source, prepared[number], printed[number]!);
    const others = roundsOf(2 * number + 1);
    for (const [round, plain] of roundsOf(2 * number).entries()) {
      const other = others[round];
      compareRound({ plain, other, prepared: prepared[number], causes, number }, verdict);
    }
  }
  return verdict;
}

function probed({ emit }: Prepared): string {
  return emit({ firstPc: FIRST_PC, url: "source.js" }).code;
}

interface Round {
  readonly plain: Observation;
  readonly other: Observation;
  readonly prepared: Prepared;
  readonly causes: Causes;
  readonly number: number;
}

function compareRound(
  { plain, other, prepared: { table }, causes, number }: Round,
  verdict: Verdict,
): void {
  const counted = executedOf(table, plain.functions);
  const reached = new Set(other.pcs.map((pc) => ((pc >>> 0) - FIRST_PC) / 8));
  verdict.blocks += counted.size;
  for (const block of new Set([...counted, ...reached])) {
    if (counted.has(block) && reached.has(block)) continue;
    const side = counted.has(block) ? "counted only" : "probed only";
    const cause = causes.find(block, side);
    if (cause) verdict.named[cause] = (verdict.named[cause] ?? 0) + 1;
    else {verdict.unnamed.push(
        `source ${number}: block ${block} at ${table.blockStart[block]}: ${side}`,
      );}
  }
}
