/** Which functions V8 cannot compile anew once coverage has begun. */
import type { AnyNode, Function as FunctionNode, Program } from "acorn";

/**
 * Where the bodies begin of functions that may have an inner function declaration that nothing refers
 * to.
 *
 * V8 makes a closure of such a declaration only while coverage is on ("even dead functions get source
 * coverage data", `Parser::DeclareFunction` in V8's `parsing/parser.cc`). What was compiled before, its
 * code thrown away and compiled anew after coverage began then has one closure more than its feedback
 * has room for, and V8 ends the process: `JSFunction::InitializeFeedbackCell` in `objects/js-function.cc`
 * (measured on Node 20, 24 and 26).
 *
 * A name that is bound twice within the function counts as not referred to: too many are found, none too
 * few. Generators and async functions are left out, since V8 never throws their code away
 * (`SharedFunctionInfo::ShouldFlushCode`).
 */
export function unusedFunctions(program: Program): number[] {
  const found: number[] = [];
  const scopes: Scope[] = [];
  visit(program, { scopes, found });
  return found;
}

interface Walk {
  readonly scopes: Scope[];
  readonly found: number[];
}

/** A function that is being walked; its subtree's names. */
class Scope {
  /** Names of function declarations of its own. */
  readonly declared = new Set<string>();
  /** How often a name is bound, and how often it occurs otherwise, here and in inner functions. */
  readonly bound = new Map<string, number>();
  readonly referred = new Set<string>();

  /** Whether each declaration is referred to for certain. */
  get isSafe(): boolean {
    return [...this.declared].every((name) =>
      this.bound.get(name) === 1 && this.referred.has(name)
    );
  }
}

function visit(node: AnyNode, walk: Walk): void {
  switch (node.type) {
    case "Identifier":
      for (const { referred } of walk.scopes) referred.add(node.name);
      return;
    case "FunctionDeclaration":
      walk.scopes.at(-1)?.declared.add(node.id?.name ?? "");
      if (node.id) bind(node.id, walk);
      return visitFunction(node, walk);
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      if (node.id) bind(node.id, walk);
      return visitFunction(node, walk);
    case "ClassDeclaration":
    case "ClassExpression":
      if (node.id) bind(node.id, walk);
      if (node.superClass) visit(node.superClass, walk);
      return visit(node.body, walk);
    case "VariableDeclarator":
      bind(node.id, walk);
      if (node.init) visit(node.init, walk);
      return;
    case "CatchClause":
      if (node.param) bind(node.param, walk);
      return visit(node.body, walk);
    case "MemberExpression":
      visit(node.object, walk);
      if (node.computed) visit(node.property, walk);
      return;
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      if (node.computed) visit(node.key, walk);
      if (node.value) visit(node.value, walk);
      return;
    case "LabeledStatement":
      return visit(node.body, walk);
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
      return;
    default:
      for (const child of childrenOf(node)) visit(child, walk);
  }
}

function visitFunction(node: FunctionNode, walk: Walk): void {
  const scope = new Scope();
  walk.scopes.push(scope);
  for (const param of node.params) bind(param, walk);
  visit(node.body, walk);
  walk.scopes.pop();
  if (node.generator || node.async || scope.isSafe) return;
  walk.found.push(node.body.start);
}

/** Binds the names of a pattern; what else is in it is walked. */
function bind(pattern: AnyNode, walk: Walk): void {
  switch (pattern.type) {
    case "Identifier":
      for (const { bound } of walk.scopes) {
        bound.set(pattern.name, (bound.get(pattern.name) ?? 0) + 1);
      }
      return;
    case "AssignmentPattern":
      bind(pattern.left, walk);
      return visit(pattern.right, walk);
    case "RestElement":
      return bind(pattern.argument, walk);
    case "ArrayPattern":
      for (const element of pattern.elements) if (element) bind(element, walk);
      return;
    case "ObjectPattern":
      for (const property of pattern.properties) {
        if (property.type === "RestElement") bind(property.argument, walk);
        else {
          if (property.computed) visit(property.key, walk);
          bind(property.value, walk);
        }
      }
      return;
    default:
      visit(pattern, walk);
  }
}

function childrenOf(node: AnyNode): AnyNode[] {
  return Object.values(node).flat().filter((value): value is AnyNode =>
    typeof value === "object" && value !== null && typeof value.type === "string"
  );
}
