/** Why V8's counts and the probes of one source may differ: each cause has a name and a place. */

import type { AnyNode } from "acorn";
import { layOut } from "../../src/blocks/block_layout.ts";
import { expressionVisitors } from "../../src/blocks/expression_ranges.ts";
import { functionVisitors } from "../../src/blocks/function_ranges.ts";
import { parseSource } from "../../src/blocks/parse_source.ts";
import { statementVisitors } from "../../src/blocks/statement_ranges.ts";
import { FunctionRows } from "../../src/probes/function_rows.ts";
import type { Prepared } from "../../src/probes/prepare.ts";
import { ProbeWalk } from "../../src/probes/probe_walk.ts";
import type { GoalSource, PrintedFunction } from "../blocks/v8_answers.ts";

/**
 * - `generator`: V8 counts its first block when it is made, the probe when it is first resumed;
 * - `object scope`: the block is in a `with`, and has no probe;
 * - `no counter`: V8 has no counter where the block begins: others have, or it is behind a jump;
 * - `labelled try`: V8 does not count the code after it when it is left by its label;
 * - `rewritten loop`: V8 counts the code after a \`for (let ...;;)\` with closures by its rounds.
 *
 * In the last two cases the probes are right.
 */
export type Cause =
  | "generator"
  | "object scope"
  | "no counter"
  | "labelled try"
  | "rewritten loop";

/** Which of V8 and the probes, but not the other, reported that a block was executed. */
export type Side = "counted only" | "probed only";

/** Finds the causes of one source's differences. */
export class Causes {
  readonly #source: string;
  readonly #prepared: Prepared;
  readonly #generators = new Set<number>();
  readonly #counters: ReadonlySet<number>;
  readonly #walk: ProbeWalk;

  /** @param printed This V8's output about the source's counters. */
  constructor(
    { goal, source }: GoalSource,
    prepared: Prepared,
    printed: readonly PrintedFunction[],
  ) {
    const program = parseSource(source, { isModule: goal === "module" });
    const walk = new ProbeWalk(source, program);
    walk.run(program, { ...statementVisitors, ...expressionVisitors, ...functionVisitors });
    const table = layOut(walk);
    const rows = new FunctionRows(table);
    for (const node of walk.functionNodes) {
      if (node.generator) this.#generators.add(table.firstBlock[rows.ofFunction(node)]);
    }
    this.#source = source;
    this.#prepared = prepared;
    this.#walk = walk;
    this.#counters = new Set(printed.flatMap(({ slots }) => slots.map(([start]) => start)));
  }

  /** @returns undefined where no cause has a name. */
  find(block: number, side: Side): Cause | undefined {
    if (this.#generators.has(block)) return "generator";
    const start = this.#prepared.table.blockStart[block];
    const node = this.#walk.places.get(start)?.node;
    if (side === "probed only") return node && this.#miscounted(node);
    if (this.#prepared.unprobed.get(block) === "object scope") return "object scope";
    return this.#counters.has(start) ? undefined : "no counter";
  }

  /** The cause if V8's counters are not exact for a node. */
  #miscounted(node: AnyNode): Cause | undefined {
    if (node.type === "TryStatement" && /\w\s*:\s*$/.test(this.#source.slice(0, node.start))) {
      return "labelled try";
    }
    const isLexical = node.type === "ForStatement" && node.init?.type === "VariableDeclaration" &&
      node.init.kind !== "var";
    return isLexical ? "rewritten loop" : undefined;
  }
}
