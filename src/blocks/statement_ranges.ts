/**
 * The slots of statements: `parsing/parser-base.h` records them, `ast/source-range-ast-visitor.cc` removes
 * some.
 */

import type {
  AnyNode,
  ForInStatement,
  ForOfStatement,
  LabeledStatement,
  SwitchCase,
  TryStatement,
} from "acorn";
import { none, type RangeWalk, type Visitors } from "./range_walk.ts";

type StatementType =
  | "BlockStatement"
  | "BreakStatement"
  | "ContinueStatement"
  | "DebuggerStatement"
  | "DoWhileStatement"
  | "EmptyStatement"
  | "ExpressionStatement"
  | "ForInStatement"
  | "ForOfStatement"
  | "ForStatement"
  | "IfStatement"
  | "LabeledStatement"
  | "ReturnStatement"
  | "SwitchCase"
  | "SwitchStatement"
  | "CatchClause"
  | "ThrowStatement"
  | "TryStatement"
  | "VariableDeclaration"
  | "VariableDeclarator"
  | "WhileStatement"
  | "WithStatement";

/** The slots that a statement of each type records. */
export const statementVisitors: Visitors<StatementType> = {
  BlockStatement(walk, node) {
    walk.addContinuation(node.end);
    goStatements(walk, node.body);
  },
  BreakStatement: jump,
  ContinueStatement: jump,
  DebuggerStatement: none,
  DoWhileStatement(walk, node) {
    loop(walk, node.body);
    walk.go(node.test);
  },
  EmptyStatement: none,
  ExpressionStatement(walk, node) {
    walk.go(node.expression);
  },
  ForInStatement: forEach,
  ForOfStatement: forEach,
  ForStatement(walk, node) {
    loop(walk, node.body);
    walk.go(node.init);
    walk.go(node.test);
    walk.go(node.update);
  },
  IfStatement(walk, { test, consequent, alternate, end }) {
    walk.addContinuation(end);
    walk.addRange(consequent.start, consequent.end);
    if (alternate) walk.addRange(consequent.end, end);
    walk.go(test);
    walk.go(consequent);
    walk.go(alternate);
  },
  LabeledStatement(walk, node) {
    if (!leavesItself(node)) walk.go(node.body);
  },
  ReturnStatement(walk, node) {
    jump(walk, node);
    walk.go(node.argument);
  },
  SwitchCase(walk, node) {
    walk.addRange(node.start, node.end);
    walk.go(node.test);
    goStatements(walk, node.consequent);
  },
  SwitchStatement(walk, node) {
    walk.addContinuation(node.end);
    walk.go(node.discriminant);
    walk.goAll(node.cases);
  },
  CatchClause(walk, node) {
    walk.addRange(node.start, node.end);
    walk.go(node.param);
    walk.go(node.body);
  },
  ThrowStatement(walk, node) {
    jump(walk, node);
    walk.go(node.argument);
  },
  TryStatement: tryStatement,
  VariableDeclaration(walk, node) {
    if (node.kind === "await using") walk.addResumption();
    walk.goAll(node.declarations);
  },
  VariableDeclarator(walk, node) {
    walk.go(node.id);
    walk.go(node.init);
  },
  WhileStatement(walk, node) {
    loop(walk, node.body);
    walk.go(node.test);
  },
  WithStatement(walk, node) {
    walk.go(node.object);
    walk.go(node.body);
  },
};

function jump(walk: RangeWalk, node: AnyNode): void {
  walk.addContinuation(node.end);
}

function loop(walk: RangeWalk, body: AnyNode): void {
  walk.addContinuation(body.end);
  walk.addRange(body.start, body.end);
  walk.go(body);
}

function forEach(walk: RangeWalk, node: ForInStatement | ForOfStatement): void {
  if (node.type === "ForOfStatement" && node.await) walk.addResumption();
  loop(walk, node.body);
  walk.go(node.left);
  walk.go(node.right);
}

/** V8 removes the continuation of the block, and keeps the handler's, before `finally` too. */
function tryStatement(walk: RangeWalk, { block, handler, finalizer, end }: TryStatement): void {
  walk.addContinuation(end);
  walk.slots.claim(block.end);
  if (finalizer) walk.addRange(walk.tokenAfter((handler ?? block).end), end);
  walk.go(block);
  walk.go(handler);
  walk.go(finalizer);
}

/** Goes on to the statements of a block or case, whose last continuation V8 removes. */
export function goStatements(walk: RangeWalk, statements: readonly AnyNode[]): void {
  claimLast(walk, statements, isEmpty);
  walk.goAll(statements);
}

/** Goes on to the statements of a function's body, where V8 hoists function declarations. */
export function goBody(walk: RangeWalk, statements: readonly AnyNode[], owner: number): void {
  claimLast(walk, statements, isEmptyOrHoisted);
  walk.goAll(statements, owner);
}

function claimLast(
  walk: RangeWalk,
  statements: readonly AnyNode[],
  isSkipped: (statement: AnyNode) => boolean,
): void {
  const last = statements.findLast((statement) => !isSkipped(statement));
  const position = last && continuation(last);
  if (position !== undefined) walk.slots.claim(position);
}

/** In blocks a sloppy function declaration is a statement, so the statement before it is not the last. */
function isEmpty(node: AnyNode): boolean {
  return node.type === "EmptyStatement" || node.type === "LabeledStatement" && leavesItself(node);
}

/** V8 reads `a: b: break a;` as an empty statement (`ParseBreakStatement` in `parsing/parser-base.h`). */
function leavesItself(node: LabeledStatement): boolean {
  const labels = [node.label.name];
  let { body } = node;
  for (; body.type === "LabeledStatement"; { body } = body) labels.push(body.label.name);
  return body.type === "BreakStatement" && labels.includes(body.label?.name ?? "");
}

function isEmptyOrHoisted(node: AnyNode): boolean {
  if (isEmpty(node)) return true;
  switch (node.type) {
    case "FunctionDeclaration":
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return true;
    case "ExportNamedDeclaration":
      return !node.declaration || isEmptyOrHoisted(node.declaration);
    case "ExportDefaultDeclaration":
      return isEmptyOrHoisted(node.declaration);
    default:
      return false;
  }
}

/** The start of the continuation that V8 removes when `statement` is the last of its list. */
function continuation(statement: AnyNode): number | undefined {
  switch (statement.type) {
    case "BlockStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "IfStatement":
    case "ReturnStatement":
    case "ThrowStatement":
    case "TryStatement":
      return statement.end;
    case "SwitchStatement":
      return statement.cases.some(declares) ? undefined : statement.end;
    case "DoWhileStatement":
    case "WhileStatement":
      return statement.body.end;
    case "ForInStatement":
    case "ForOfStatement":
      return isLexical(statement.left) ? undefined : statement.body.end;
    case "ForStatement":
      return isLexical(statement.init) ? undefined : statement.body.end;
    case "LabeledStatement":
      // V8 wraps a `try` with labels in a block that has no range of its own.
      return statement.body.type === "TryStatement" ? undefined : continuation(statement.body);
    default:
      return undefined;
  }
}

/** V8 wraps a `switch` whose cases declare something of their own in a block that has no range. */
function declares({ consequent }: SwitchCase): boolean {
  return consequent.some((statement) => {
    let inner: AnyNode = statement;
    while (inner.type === "LabeledStatement") inner = inner.body;
    return isLexical(inner) || inner.type === "ClassDeclaration" ||
      inner.type === "FunctionDeclaration";
  });
}

/** V8 may rewrite a `for` with lexical variables into blocks that have no ranges. */
function isLexical(node: AnyNode | null | undefined): boolean {
  return node?.type === "VariableDeclaration" && node.kind !== "var";
}
