/** Puts a probe at the start of each block of a source: the blocks, and their numbers, of its table. */

import MagicString from "magic-string";
import type { Program } from "acorn";
import { layOut } from "../blocks/block_layout.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { expressionVisitors } from "../blocks/expression_ranges.ts";
import { functionVisitors } from "../blocks/function_ranges.ts";
import { innermostBlocks } from "../blocks/innermost_blocks.ts";
import { parseSource, type ParseSourceOptions } from "../blocks/parse_source.ts";
import { statementVisitors } from "../blocks/statement_ranges.ts";
import { ComparisonProbes } from "./comparison_probes.ts";
import { Edits, type WritePc, type WrittenInsertion } from "./edits.ts";
import { FunctionProbes, initialisersOf } from "./function_probes.ts";
import { FunctionRows } from "./function_rows.ts";
import { ProbeWalk } from "./probe_walk.ts";
import { Probes } from "./probes.ts";
import { refuseProbeNames } from "./refuse_names.ts";
import type { Unprobed } from "./unprobed.ts";

/** How a prepared source is written. */
export interface EmitOptions {
  /** Lower half of the PC of the table's first block. */
  readonly firstPc: number;
  /** What the map calls the source. */
  readonly url: string;
  /** Whether comparisons get probes, too; by default they do. */
  readonly comparisons?: boolean;
}

/** A source with probes. */
export interface Emitted {
  /** Its lines are those of the source; only one that has no statement gets one more. */
  readonly code: string;
  /** A source map, version 3, without the source. */
  readonly map: string;
}

/** A source that is to get probes. */
export interface Prepared {
  readonly source: string;
  readonly program: Program;
  readonly table: BlockTable;
  /** Blocks without a probe, and why. */
  readonly unprobed: ReadonlyMap<number, Unprobed>;
  /** Writes it, as often as wanted. */
  emit(options: EmitOptions): Emitted;
  /** What it gets, block by block. */
  insertions(options: Pick<EmitOptions, "firstPc">): WrittenInsertion[];
}

/**
 * Parses a source and finds the places of its probes. Its blocks are those of `buildBlockTable`.
 *
 * What it does stays the same, but for what the text of a function says, and what V8 quotes of the source
 * in the messages of errors. The value of a script, as of `vm.runInThisContext`, is not kept.
 *
 * Blocks are told as V8 counts them (see `executedBlocks`), but for these:
 *
 * - the first block of a function is told after its parameters have got their values, and that of a
 *   generator when it is first resumed;
 * - where V8's counters are not exact, probes are.
 *
 * Node finds out what a CommonJS file exports by its text, which must be the source's: it does not know a
 * getter that has a probe.
 *
 * @throws {SyntaxError} as `parseSource` does.
 * @throws {Error} when the source has a name of the probes' itself.
 */
export function prepare(source: string, options: ParseSourceOptions): Prepared {
  const program = parseSource(source, options);
  refuseProbeNames(source, program);
  const walk = new ProbeWalk(source, program.sourceType === "module");
  walk.run(program, { ...statementVisitors, ...expressionVisitors, ...functionVisitors });
  const table = layOut(walk);
  const edits = new Edits();
  const unprobed = new Map<number, Unprobed>();
  const placing = { program, walk, table, edits, unprobed };
  placeFirst(placing);
  placeOthers(placing);
  const compared = comparisonEdits(walk, table);
  const emit = ({ firstPc, url, comparisons = true }: EmitOptions): Emitted => {
    const text = new MagicString(source);
    (comparisons ? edits.with(compared) : edits).apply(text, writePc(firstPc));
    const map = text.generateMap({ source: url, hires: "boundary" });
    return { code: text.toString(), map: map.toString() };
  };
  const insertions = ({ firstPc }: Pick<EmitOptions, "firstPc">) =>
    edits.with(compared).write(source, writePc(firstPc));
  return { source, program, table, unprobed, emit, insertions };
}

function writePc(firstPc: number): WritePc {
  return (block) => String((firstPc + 8 * block) | 0);
}

interface Placing {
  readonly program: Program;
  readonly walk: ProbeWalk;
  readonly table: BlockTable;
  readonly edits: Edits;
  readonly unprobed: Map<number, Unprobed>;
}

/** The blocks that functions begin with. */
function placeFirst({ program, walk, table, edits, unprobed }: Placing): void {
  const probes = new FunctionProbes(edits, (offset) => walk.tokenAfter(offset));
  const rows = new FunctionRows(table);
  edits.block = 0;
  const none = probes.addProgram(0, program);
  if (none) unprobed.set(0, none);
  for (const node of walk.functionNodes) {
    const block = edits.block = table.firstBlock[rows.ofFunction(node)];
    if (walk.isInObjectScope(node.start)) unprobed.set(block, "object scope");
    else probes.addFunction(block, node);
  }
  for (const initialiser of walk.classNodes.flatMap(initialisersOf)) {
    const { start } = initialiser.first;
    const block = edits.block = table.firstBlock[rows.ofInitialiser(start)];
    const reason = walk.isInObjectScope(start)
      ? "object scope"
      : probes.addInitialiser(block, initialiser);
    if (reason) unprobed.set(block, reason);
  }
}

function placeOthers({ walk, table, edits, unprobed }: Placing): void {
  const probes = new Probes(edits, (offset) => walk.tokenAfter(offset));
  const { firstBlock, blockStart } = table;
  for (let row = 0; row + 1 < firstBlock.length; row++) {
    for (let block = firstBlock[row] + 1; block < firstBlock[row + 1]; block++) {
      const start = blockStart[block];
      edits.block = block;
      const place = walk.places.get(start);
      const reason = walk.isInObjectScope(start)
        ? "object scope"
        : place
        ? probes.add(block, place, start)
        : "no place";
      if (reason) unprobed.set(block, reason);
    }
  }
}

/** A comparison is told with the innermost block that it is in. */
function comparisonEdits(walk: ProbeWalk, table: BlockTable): Edits {
  const edits = new Edits();
  const { bound, expressionStatements: statements } = walk;
  const probes = new ComparisonProbes({ edits, bound, statements });
  const nodes = walk.comparing.filter(({ start }) => !walk.isInObjectScope(start))
    .sort((a, b) => a.start - b.start);
  const blocks = innermostBlocks(table, nodes.map(({ start }) => start));
  for (const [index, node] of nodes.entries()) {
    edits.block = blocks[index];
    probes.add(blocks[index], node);
  }
  return edits;
}
