import type { AnyNode } from "acorn";
import type { LiveScript } from "../live/live_plan.ts";
import { FunctionRows } from "./function_rows.ts";
import { initialisersOf } from "./function_probes.ts";
import type { Prepared } from "./prepare.ts";

export interface LiveScriptOptions {
  /** Lower half of the PC of the table's first block. */
  readonly firstPc: number;
  /** Whether V8 has it as an ES module. */
  readonly isModule: boolean;
}

/**
 * What a script gets that is loaded and runs: probes in its functions, for its top level has run.
 *
 * @throws {Error} when the program would notice: V8 makes the strings of tagged templates anew, of all in a script
 * that it changes, and programs know templates again by them.
 */
export function liveScript(prepared: Prepared, options: LiveScriptOptions): LiveScript {
  const { program, table } = prepared;
  const facts = new TopLevel();
  facts.visit(program, true);
  if (facts.hasTags) {
    throw new Error("it has tagged templates, whose strings would be others");
  }
  const rows = new FunctionRows(table);
  const initialisers = facts.classes.flatMap(initialisersOf).flatMap(({ first, isStatic }) =>
    isStatic || options.isModule ? [rows.ofInitialiser(first.start)] : []
  );
  const insertions = prepared.insertions(options);
  return {
    at: insertions.map(({ at }) => at),
    text: insertions.map(({ text }) => text),
    block: insertions.map(({ block }) => block),
    firstBlock: [...table.firstBlock],
    resumed: [...table.isResumed.keys()].filter((row) => table.isResumed[row] !== 0),
    fixed: [0, ...initialisers],
  };
}

type ClassNode = Parameters<typeof initialisersOf>[0];

/** What a program has that V8 cannot change, or not without being seen. */
class TopLevel {
  /** In no function. */
  readonly classes: ClassNode[] = [];
  hasTags = false;

  visit(node: AnyNode, isTop: boolean): void {
    if (node.type === "TaggedTemplateExpression" && !isRaw(node.tag)) this.hasTags = true;
    const isClass = node.type === "ClassDeclaration" || node.type === "ClassExpression";
    if (isClass && isTop) this.classes.push(node);
    const isStillTop = isTop && !/Function/.test(node.type);
    for (const child of children(node)) this.visit(child, isStillTop);
  }
}

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
