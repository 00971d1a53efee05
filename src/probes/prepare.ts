/** Puts a probe at the start of each block of a source. The blocks and their numbers are its table's. */

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
import { addEval } from "./eval_probes.ts";
import { Edits, type WritePc, type WrittenInsertion } from "./edits.ts";
import { FunctionProbes, initialisersOf } from "./function_probes.ts";
import { FunctionRows } from "./function_rows.ts";
import { ProbeWalk } from "./probe_walk.ts";
import { hitDeclaration, type HitStatement, hitStatement } from "./probe_text.ts";
import { Probes, type ProbesOptions } from "./probes.ts";
import { refuseProbeNames } from "./refuse_names.ts";
import type { Unprobed } from "./unprobed.ts";

/**
 * How deep probes may nest. V8's parser and its compiler need some 1 kB of the stack for each level, of 984
 * kB: deeper sources might compile only without probes.
 */
const DEEPEST = 200;

export interface PrepareOptions extends ParseSourceOptions {
  /** Whether the value of the script is kept. */
  readonly keepsValue?: boolean;
}

/** How a prepared source is written. */
export interface EmitOptions {
  /** Lower half of the PC of the table's first block. */
  readonly firstPc: number;
  /** The source's name in the map. */
  readonly url: string;
  /** Whether comparisons get probes, too. @default {true} */
  readonly comparisons?: boolean;
}

/** A source with probes. */
export interface Emitted {
  /** It has the lines of the source; only a source without statements gets one more. */
  readonly code: string;
  /** A source map, version 3, without the source. */
  readonly map: string;
  /** Offsets into the source, each followed by the number of characters that are inserted there. */
  readonly insertions: readonly number[];
}

/** A source that was parsed and is ready to get probes. */
export interface Prepared {
  readonly source: string;
  readonly program: Program;
  readonly table: BlockTable;
  /** The blocks without a probe, with the reasons. */
  readonly unprobed: ReadonlyMap<number, Unprobed>;
  /** Writes the source with its probes; may be called again. */
  emit(options: EmitOptions): Emitted;
  /** The insertions, block by block. */
  insertions(options: Pick<EmitOptions, "firstPc">): WrittenInsertion[];
}

/**
 * Parses a source and finds the places of its probes. Its blocks are those of `buildBlockTable`.
 *
 * The source's behaviour stays the same, except for the text of a function and the quotes of the source in
 * V8's error messages.
 *
 * Blocks are reported as V8 counts them (see `executedBlocks`), except that:
 *
 * - the first block of a function is reported after its parameters have got their values, and that of a
 *   generator when it is first resumed;
 * - where V8's counters are not exact, probes are.
 *
 * Node finds a CommonJS file's exports by its text, so that must be the source's: Node does not recognise a
 * getter that has a probe.
 *
 * @throws {SyntaxError} as `parseSource` does.
 * @throws {Error} when the source itself uses a name of the probes.
 */
export function prepare(source: string, options: PrepareOptions): Prepared {
  const program = parseSource(source, options);
  refuseProbeNames(source, program);
  const walk = new ProbeWalk(source, program);
  walk.run(program, { ...statementVisitors, ...expressionVisitors, ...functionVisitors });
  const table = layOut(walk);
  const edits = new Edits();
  const unprobed = new Map<number, Unprobed>();
  const tokenAfter = (offset: number) => walk.tokenAfter(offset);
  const statement = options.keepsValue ? valueless(walk) : hitStatement;
  const placing = { program, walk, table, edits, unprobed, probing: { tokenAfter, statement } };
  placeFirst(placing);
  placeOthers(placing);
  placeEvals(placing);
  const all = edits.with(comparisonEdits(walk, table));
  if (all.depth > DEEPEST) {
    throw new Error(`Cannot put probes into the source: it nests deeper than ${DEEPEST}`);
  }
  const emit = ({ firstPc, url, comparisons = true }: EmitOptions): Emitted => {
    const text = new MagicString(source);
    const insertions = (comparisons ? all : edits).apply(text, writePc(firstPc));
    const map = text.generateMap({ source: url, hires: "boundary" });
    return { code: text.toString(), map: map.toString(), insertions };
  };
  const insertions = ({ firstPc }: Pick<EmitOptions, "firstPc">) =>
    all.write(source, writePc(firstPc));
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
  readonly probing: ProbesOptions;
}

/** Statements in functions have no value that matters. */
function valueless({ functionNodes }: ProbeWalk): HitStatement {
  const isInFunction = (at: number) =>
    functionNodes.some(({ body }) => body.start < at && at <= body.end);
  return (block, at) => isInFunction(at) ? hitStatement(block) : hitDeclaration(block);
}

/** Places the probes of functions' first blocks. */
function placeFirst({ program, walk, table, edits, unprobed, probing }: Placing): void {
  const probes = new FunctionProbes(edits, probing);
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

function placeOthers({ walk, table, edits, unprobed, probing }: Placing): void {
  const probes = new Probes(edits, probing);
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

/** A call of `eval` gets the number of the innermost block that it is in. */
function placeEvals({ walk, table, edits }: Placing): void {
  const calls = walk.evalCalls.filter(({ start }) => !walk.isInObjectScope(start))
    .sort((a, b) => a.start - b.start);
  const blocks = innermostBlocks(table, calls.map(({ start }) => start));
  for (const [index, node] of calls.entries()) {
    edits.block = blocks[index];
    addEval(edits, { block: blocks[index], node });
  }
}

/** A comparison gets the number of the innermost block that it is in. */
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
