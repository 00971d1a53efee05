import type { AnyNode, ArrowFunctionExpression, Expression, Function as FunctionNode } from "acorn";
import type { LiveScript } from "../live/live_plan.ts";
import type { WrittenInsertion } from "./edits.ts";
import { FunctionRows } from "./function_rows.ts";
import { initialisersOf } from "./function_probes.ts";
import type { Prepared } from "./prepare.ts";
import { PROBE_NAMES } from "./probe_names.ts";

/**
 * The probes of a script that is loaded and runs: in its functions only, because its top level has run.
 *
 * @param options `firstPc`: lower half of the PC of the table's first block.
 * @throws {Error} when the program would notice: V8 makes the strings of tagged templates anew, of all in a script
 * that it changes, and programs know templates again by them.
 */
export function liveScript(prepared: Prepared, options: { readonly firstPc: number }): LiveScript {
  const { program, table } = prepared;
  const facts = new Facts();
  facts.visit(program, true);
  if (facts.hasTags) throw new Error("it has tagged templates, whose strings would be others");
  const rows = new FunctionRows(table);
  const initialisers = facts.classes.flatMap(({ node, isTop }) =>
    initialisersOf(node).map(({ first, isStatic }) => ({
      row: rows.ofInitialiser(first.start),
      isOver: isStatic && isTop,
    }))
  );
  const { insertions, left } = withoutBoundaries(prepared.insertions(options), facts);
  const over = [0, ...initialisers.filter(({ isOver }) => isOver).map(({ row }) => row)];
  const fixed = initialisers.filter(({ isOver }) => !isOver).map(({ row }) => row);
  const rowOf = (block: number) => table.firstBlock.findLastIndex((first) => first <= block);
  const known = new Set([...over, ...fixed]);
  const functions = facts.functions.map((node) => ({
    row: rows.ofFunction(node),
    start: startOf(node, prepared.source),
    end: node.end,
  })).sort((a, b) => a.start - b.start || b.end - a.end);
  return {
    firstPc: options.firstPc,
    blocks: table.blockStart.length,
    at: insertions.map(({ at }) => at),
    text: insertions.map(({ text }) => text),
    block: insertions.map(({ block }) => block),
    firstBlock: [...table.firstBlock],
    functionRow: functions.map(({ row }) => row),
    functionStart: functions.map(({ start }) => start),
    functionEnd: functions.map(({ end }) => end),
    resumed: [...table.isResumed.keys()].filter((row) => table.isResumed[row] !== 0),
    over,
    fixed,
    partly: [...new Set([...left].map(rowOf))].filter((row) => !known.has(row)),
  };
}

type ClassNode = Parameters<typeof initialisersOf>[0];

/** The parts of a program that V8 cannot change, or not unnoticed. */
class Facts {
  readonly classes: { readonly node: ClassNode; readonly isTop: boolean }[] = [];
  /** Functions that are an expression behind their arrow. */
  readonly arrows: (ArrowFunctionExpression & { readonly body: Expression })[] = [];
  readonly functions: FunctionNode[] = [];
  /** Where V8 has functions begin and end. */
  readonly boundaries = new Set<number>();
  hasTags = false;

  /** @param isTop Whether it is in no function. */
  visit(node: AnyNode, isTop: boolean): void {
    const isFunction = /Function/.test(node.type);
    if (isFunction) {
      this.functions.push(node as FunctionNode);
      this.boundaries.add(node.end);
    }
    switch (node.type) {
      case "TaggedTemplateExpression":
        if (!isRaw(node.tag)) this.hasTags = true;
        break;
      case "ClassDeclaration":
      case "ClassExpression":
        this.classes.push({ node, isTop });
        break;
      case "ArrowFunctionExpression":
        this.boundaries.add(node.start);
        if (node.body.type !== "BlockStatement") this.arrows.push(node as typeof this.arrows[0]);
    }
    const isStillTop = isTop && !isFunction;
    for (const child of children(node)) this.visit(child, isStillTop);
  }
}

/** A function begins with its parameters, to V8. */
function startOf(node: FunctionNode, source: string): number {
  if (node.type === "ArrowFunctionExpression") return node.start;
  BEFORE_PARAMETERS.lastIndex = node.id?.end ?? node.start;
  return BEFORE_PARAMETERS.lastIndex + BEFORE_PARAMETERS.exec(source)![0].length;
}

const BEFORE_PARAMETERS = /(?:\s|\/\*.*?\*\/|\/\/[^\n\r]*|async|function|\*)*/sy;

/** `String.raw` looks at the strings alone. */
function isRaw(tag: AnyNode): boolean {
  return tag.type === "MemberExpression" && tag.object.type === "Identifier" &&
    tag.object.name === "String" && tag.property.type === "Identifier" &&
    tag.property.name === "raw";
}

function* children(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === "string") yield child;
    }
  }
}

/**
 * Nothing is put where a function begins or ends. What is behind an arrow has its probe before it alone, as in
 * `x => __kcov(1)||x`, where the operator allows.
 *
 * @returns also the blocks whose probes are left out.
 */
function withoutBoundaries(
  insertions: readonly WrittenInsertion[],
  { arrows, boundaries }: Facts,
): { insertions: WrittenInsertion[]; left: Set<number> } {
  const prefixes = new Map<string, Prefix>();
  for (const { body } of arrows) addPrefixes(body, prefixes);
  const groups = new Map<number, WrittenInsertion[]>();
  for (const one of insertions) {
    const group = groups.get(one.group);
    if (group) group.push(one);
    else groups.set(one.group, [one]);
  }
  const left = new Set<number>();
  const changed = new Map<WrittenInsertion, WrittenInsertion | undefined>();
  for (const group of groups.values()) {
    if (!group.some(({ at }) => boundaries.has(at))) continue;
    const [before, after] = group;
    const prefix = after && prefixes.get(`${before.at} ${after.at}`);
    const isHit = HIT_BEFORE.test(before.text) && after?.text === ")";
    const isBegun = boundaries.has(before.at);
    for (const one of group) changed.set(one, undefined);
    if (isHit && prefix && !isBegun) {
      const text = before.text.replace(HIT_BEFORE, (_, apart, hit) => apart + prefix(hit));
      changed.set(before, { ...before, text });
    } else if (group.some(({ text }) => HIT.test(text))) left.add(before.block);
  }
  const kept = insertions.flatMap((one) => {
    const other = changed.has(one) ? changed.get(one) : one;
    return other ? [other] : [];
  });
  return { insertions: kept, left };
}

const HIT_BEFORE = new RegExp(`^( ?)\\((${PROBE_NAMES.hit}\\(-?\\d+\\)),$`);
const HIT = new RegExp(
  `\\b(?:${PROBE_NAMES.hit}|${PROBE_NAMES.pass}|${PROBE_NAMES.some}|${PROBE_NAMES.none})\\(`,
);

/** Text before an expression, with a probe in it that gives undefined: the value stays as it is. */
type Prefix = (hit: string) => string;

const OR: Prefix = (hit) => `${hit}||`;
const COALESCE: Prefix = (hit) => `${hit}??`;
const AND: Prefix = (hit) => `!${hit}&&`;

/**
 * Finds how a probe may stand before an expression, and before those that it ends with.
 *
 * @param prefixes Gets them by start and end of the expression.
 */
function addPrefixes(node: Expression, prefixes: Map<string, Prefix>): void {
  const prefix = prefixOf(node);
  if (prefix) prefixes.set(`${node.start} ${node.end}`, prefix);
  if (node.type === "ConditionalExpression") addPrefixes(node.alternate, prefixes);
  else if (node.type === "LogicalExpression") {
    const { operator, right: { start, end } } = node;
    prefixes.set(`${start} ${end}`, { "||": OR, "??": COALESCE, "&&": AND }[operator]);
  }
}

function prefixOf(node: Expression): Prefix | undefined {
  switch (node.type) {
    case "ArrowFunctionExpression":
    case "AssignmentExpression":
    case "YieldExpression":
      return undefined;
    case "ConditionalExpression":
      return prefixOf(node.test);
    case "LogicalExpression":
      return node.operator === "??" ? COALESCE : OR;
    default:
      return OR;
  }
}
