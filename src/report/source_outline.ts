/** The parts of a source that a report lists besides blocks: statements, and the names of functions. */
import type { AnyNode, Program } from "acorn";

/** A statement, as Istanbul counts them; offsets are UTF-16 units. */
export interface Statement {
  readonly start: number;
  readonly end: number;
  /** An offset in the block that it executes in: its own start may be the start of a function. */
  readonly at: number;
}

/** A function's name and place. */
export interface FunctionName {
  readonly name: string;
  /** Start and end of the function, or of the member that it is. */
  readonly start: number;
  readonly end: number;
}

/** The result of {@linkcode outlineSource}. */
export interface SourceOutline {
  /** By ascending `at`. */
  readonly statements: readonly Statement[];
  readonly functions: readonly FunctionName[];
}

/** Istanbul's statements. Declarations are missing, since their initialisers count. */
const STATEMENTS: ReadonlySet<string> = new Set([
  ...["BreakStatement", "ContinueStatement", "DebuggerStatement", "DoWhileStatement"],
  ...["ExpressionStatement", "ForInStatement", "ForOfStatement", "ForStatement", "IfStatement"],
  ...["LabeledStatement", "ReturnStatement", "SwitchStatement", "ThrowStatement", "TryStatement"],
  ...["WhileStatement", "WithStatement"],
]);

/** A node, and the name that it gets as the value of another. */
interface Visit {
  readonly node: AnyNode;
  readonly name?: string;
}

/** Walks without recursion, since sources may be nested deeply. */
export function outlineSource(program: Program): SourceOutline {
  const statements: Statement[] = [];
  const functions: FunctionName[] = [];
  const visits: Visit[] = [{ node: program }];
  for (let visit = visits.pop(); visit; visit = visits.pop()) {
    const { node, name } = visit;
    const { start, end } = node;
    if (STATEMENTS.has(node.type)) statements.push({ start, end, at: start });
    const value = initializerOf(node);
    if (value) {
      const at = node.type === "ArrowFunctionExpression" ? value.start - 1 : start;
      statements.push({ start: value.start, end: value.end, at });
    }
    const named = nameOf(node, name);
    if (named) functions.push({ name: named, start, end });
    for (const child of childrenOf(node)) {
      const given = nameGivenTo(node, child);
      visits.push(given ? { node: child, name: given } : { node: child });
    }
  }
  return { statements: statements.sort((a, b) => a.at - b.at), functions };
}

/** The initialiser of a declaration, or the value that an arrow function returns without `return`. */
function initializerOf(node: AnyNode): AnyNode | null | undefined {
  if (node.type === "VariableDeclarator") return node.init;
  if (node.type === "PropertyDefinition") return node.value;
  const isShort = node.type === "ArrowFunctionExpression" && node.body.type !== "BlockStatement";
  return isShort ? node.body : undefined;
}

function nameOf(node: AnyNode, given: string | undefined): string | undefined {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
      return node.id?.name ?? given;
    case "ArrowFunctionExpression":
      return given;
    case "MethodDefinition":
    case "Property":
      return node.value?.type === "FunctionExpression" ? keyOf(node) : undefined;
  }
  return undefined;
}

function nameGivenTo(parent: AnyNode, child: AnyNode): string | undefined {
  switch (parent.type) {
    case "VariableDeclarator":
      return child === parent.init && parent.id.type === "Identifier" ? parent.id.name : undefined;
    case "AssignmentExpression":
      return child === parent.right ? targetName(parent.left) : undefined;
    case "Property":
    case "PropertyDefinition":
      return child === parent.value ? keyOf(parent) : undefined;
  }
  return undefined;
}

function targetName(target: AnyNode): string | undefined {
  if (target.type === "Identifier") return target.name;
  const isPlain = target.type === "MemberExpression" && !target.computed;
  return isPlain && "name" in target.property ? target.property.name : undefined;
}

function keyOf({ key, computed }: { key: AnyNode; computed: boolean }): string | undefined {
  if (computed) return undefined;
  if (key.type === "Identifier") return key.name;
  if (key.type === "PrivateIdentifier") return `#${key.name}`;
  return key.type === "Literal" ? String(key.value) : undefined;
}

function* childrenOf(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) yield* value.filter(isNode);
    else if (isNode(value)) yield value;
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string" && "start" in value;
}
