import type { AnyNode, CallExpression } from "acorn";
import type { Edits } from "./edits.ts";
import { PROBE_NAMES } from "./probe_names.ts";

/** The names of the global object. */
const GLOBALS: ReadonlySet<string> = new Set(["global", "globalThis", "self", "window"]);

/** A call that may be one of `eval`. */
export type EvalCall = CallExpression;

export function isEvalCall(node: AnyNode): node is EvalCall {
  return node.type === "CallExpression" && !node.optional &&
    evalText(node.callee) !== undefined && node.arguments.length > 0 &&
    node.arguments[0].type !== "SpreadElement";
}

/**
 * Has the code of an `eval` get probes where it is called. A direct `eval` stays direct, since the function
 * that is called stays V8's own.
 */
export function addEval(edits: Edits, { block, node }: { block: number; node: EvalCall }): void {
  const callee = evalText(node.callee)!;
  edits.wrap(node.arguments[0], [
    (pc) => `${PROBE_NAMES.code}(${pc(block)},${callee},`,
    ")",
  ]);
}

/** The text that reads the callee once more, if it may be `eval`. */
function evalText(callee: AnyNode): string | undefined {
  switch (callee.type) {
    case "Identifier":
      return callee.name === "eval" ? callee.name : undefined;
    case "ParenthesizedExpression":
      return evalText(callee.expression);
    case "SequenceExpression":
      return evalText(callee.expressions.at(-1)!);
    case "MemberExpression": {
      const { object, property, computed, optional } = callee;
      const isGlobals = !computed && !optional && object.type === "Identifier" &&
        GLOBALS.has(object.name) && property.type === "Identifier" && property.name === "eval";
      return isGlobals ? `${(object as { name: string }).name}.eval` : undefined;
    }
    default:
      return undefined;
  }
}
