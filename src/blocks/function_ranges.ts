/** The ranges of functions, of class elements that V8 makes functions, and of the top level. */

import type {
  AnonymousClassDeclaration,
  AnyNode,
  ClassDeclaration,
  ClassExpression,
  Function as FunctionNode,
  MethodDefinition,
  PropertyDefinition,
  StaticBlock,
} from "acorn";
import { none, NOWHERE, type RangeWalk, type Visitors } from "./range_walk.ts";
import { goBody, goStatements } from "./statement_ranges.ts";

type FunctionType =
  | "ArrowFunctionExpression"
  | "ClassBody"
  | "ClassDeclaration"
  | "ClassExpression"
  | "ExportAllDeclaration"
  | "ExportDefaultDeclaration"
  | "ExportNamedDeclaration"
  | "ExportSpecifier"
  | "FunctionDeclaration"
  | "FunctionExpression"
  | "ImportAttribute"
  | "ImportDeclaration"
  | "ImportDefaultSpecifier"
  | "ImportNamespaceSpecifier"
  | "ImportSpecifier"
  | "MethodDefinition"
  | "Program"
  | "Property"
  | "PropertyDefinition"
  | "StaticBlock";

const ASYNC = "async";
const FUNCTION = "function";
const STATIC = "static";

/** The slots that functions, classes and the declarations of modules record. */
export const functionVisitors: Visitors<FunctionType> = {
  ArrowFunctionExpression: plainFunction,
  ClassBody: none,
  ClassDeclaration: classNode,
  ClassExpression: classNode,
  ExportAllDeclaration: none,
  ExportDefaultDeclaration(walk, node) {
    walk.go(node.declaration);
  },
  ExportNamedDeclaration(walk, node) {
    walk.go(node.declaration);
  },
  ExportSpecifier: none,
  FunctionDeclaration: plainFunction,
  FunctionExpression: plainFunction,
  ImportAttribute: none,
  ImportDeclaration: none,
  ImportDefaultSpecifier: none,
  ImportNamespaceSpecifier: none,
  ImportSpecifier: none,
  MethodDefinition: none,
  Program(walk, node) {
    goBody(walk, node.body, walk.addFunction(0, walk.slots.length, walk.isModule ? NOWHERE : 0));
  },
  Property(walk, node) {
    if (node.computed) walk.go(node.key);
    const { kind, value } = node;
    if (value.type === "FunctionExpression" && (node.method || kind === "get" || kind === "set")) {
      goFunction(walk, value, walk.addFunction(node.start, value.end, value.start));
    } else {
      walk.go(value);
    }
  },
  PropertyDefinition: none,
  StaticBlock(walk, node) {
    walk.addContinuation(node.end);
    goStatements(walk, node.body);
  },
};

function plainFunction(walk: RangeWalk, node: FunctionNode): void {
  goFunction(walk, node, walk.addFunction(node.start, node.end, entryOf(walk, node)));
}

/** V8 enters an arrow function where it starts, and others at the parenthesis before their parameters. */
function entryOf(walk: RangeWalk, node: FunctionNode): number {
  if (node.type === "ArrowFunctionExpression") return node.start;
  if (node.id) return walk.tokenAfter(node.id.end);
  const keyword = node.async ? walk.tokenAfter(node.start + ASYNC.length) : node.start;
  const next = walk.tokenAfter(keyword + FUNCTION.length);
  return node.generator ? walk.tokenAfter(next + 1) : next;
}

/** `keepsLast`: V8 11 ends a derived constructor with `return this`, so its last statement is not the last. */
function goFunction(
  walk: RangeWalk,
  { params, body, generator }: FunctionNode,
  owner: number,
  keepsLast = false,
): void {
  if (generator) walk.addResumption(owner);
  walk.goAll(params, owner);
  if (body.type !== "BlockStatement") walk.go(body, owner);
  else if (keepsLast) walk.goAll(body.body, owner);
  else goBody(walk, body.body, owner);
}

function classNode(
  walk: RangeWalk,
  node: ClassDeclaration | AnonymousClassDeclaration | ClassExpression,
): void {
  const fields: PropertyDefinition[] = [];
  const statics: (PropertyDefinition | StaticBlock)[] = [];
  walk.go(node.superClass);
  for (const element of node.body.body) {
    if (element.type !== "StaticBlock" && element.computed) walk.go(element.key);
    if (element.type === "MethodDefinition") goMethod(walk, element, Boolean(node.superClass));
    else if (element.type === "StaticBlock" || element.static) statics.push(element);
    else fields.push(element);
  }
  if (fields.length > 0) goFields(walk, fields, node);
  if (statics.length > 0) goStatics(walk, statics);
}

/** `static` is no part of the range that V8 gives a method, not even where it is the method's name. */
function goMethod(walk: RangeWalk, node: MethodDefinition, isDerived: boolean): void {
  const { start, key, value, computed } = node;
  const isNamedStatic = !computed && key.start === start && key.end === start + STATIC.length &&
    walk.startsWith(STATIC, start);
  const rangeStart = node.static || isNamedStatic ? walk.tokenAfter(start + STATIC.length) : start;
  const owner = walk.addFunction(rangeStart, value.end, value.start);
  goFunction(walk, value, owner, isDerived && node.kind === "constructor");
}

/** V8 11 gives the initialiser of instance fields the range of the class. */
function goFields(walk: RangeWalk, fields: PropertyDefinition[], { start, end }: AnyNode): void {
  const from = fields[0].start;
  const owner = walk.addFunction(from, elementEnd(walk, fields.at(-1)!), from);
  walk.addAlias(owner, start, end);
  for (const { value } of fields) walk.go(value, owner);
}

/** V8 11 lets the initialiser of static fields, and static blocks, begin at the last static field. */
function goStatics(walk: RangeWalk, statics: (PropertyDefinition | StaticBlock)[]): void {
  const end = elementEnd(walk, statics.at(-1)!);
  const owner = walk.addFunction(statics[0].start, end, statics[0].start);
  const lastField = statics.findLast(({ type }) => type === "PropertyDefinition");
  if (lastField && lastField !== statics[0]) walk.addAlias(owner, lastField.start, end);
  for (const element of statics) {
    walk.go(element.type === "StaticBlock" ? element : element.value, owner);
  }
}

/** End of a field or static block without the `;`. */
function elementEnd(walk: RangeWalk, element: PropertyDefinition | StaticBlock): number {
  if (element.type === "StaticBlock") return element.end;
  const { value, key, computed } = element;
  if (value) return value.end;
  return computed ? walk.tokenAfter(key.end) + 1 : key.end;
}
