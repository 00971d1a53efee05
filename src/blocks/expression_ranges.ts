/** The slots of expressions: `parsing/parser-base.h` records them. */

import type {
  AnyNode,
  AwaitExpression,
  CallExpression,
  NewExpression,
  YieldExpression,
} from "acorn";
import { none, type RangeWalk, type Visitors } from "./range_walk.ts";

type ExpressionType =
  | "ArrayExpression"
  | "ArrayPattern"
  | "AssignmentExpression"
  | "AssignmentPattern"
  | "AwaitExpression"
  | "BinaryExpression"
  | "CallExpression"
  | "ChainExpression"
  | "ConditionalExpression"
  | "Identifier"
  | "ImportExpression"
  | "Literal"
  | "LogicalExpression"
  | "MemberExpression"
  | "MetaProperty"
  | "NewExpression"
  | "ObjectExpression"
  | "ObjectPattern"
  | "ParenthesizedExpression"
  | "PrivateIdentifier"
  | "RestElement"
  | "SequenceExpression"
  | "SpreadElement"
  | "Super"
  | "TaggedTemplateExpression"
  | "TemplateElement"
  | "TemplateLiteral"
  | "ThisExpression"
  | "UnaryExpression"
  | "UpdateExpression"
  | "YieldExpression";

/** The slots that an expression or pattern of each type records. */
export const expressionVisitors: Visitors<ExpressionType> = {
  ArrayExpression: elements,
  ArrayPattern: elements,
  AssignmentExpression: leftAndRight,
  AssignmentPattern: leftAndRight,
  AwaitExpression: suspend,
  BinaryExpression: leftAndRight,
  CallExpression(walk, node) {
    if (node.optional) walk.addRange(walk.tokenAfter(node.callee.end), node.end);
    call(walk, node);
  },
  ChainExpression: inner,
  ConditionalExpression(walk, { test, consequent, alternate }) {
    walk.addRange(walk.tokenAfter(test.end), consequent.end);
    walk.addRange(walk.tokenAfter(consequent.end), alternate.end);
    walk.go(test);
    walk.go(consequent);
    walk.go(alternate);
  },
  Identifier: none,
  ImportExpression(walk, node) {
    walk.go(node.source);
    walk.go(node.options);
  },
  Literal: none,
  LogicalExpression(walk, node) {
    walk.addRange(walk.tokenAfter(node.left.end), node.right.end);
    leftAndRight(walk, node);
  },
  MemberExpression(walk, node) {
    if (node.optional) walk.addRange(walk.tokenAfter(node.object.end), node.end);
    walk.go(node.object);
    walk.go(node.property);
  },
  MetaProperty: none,
  NewExpression: call,
  ObjectExpression: properties,
  ObjectPattern: properties,
  ParenthesizedExpression: inner,
  PrivateIdentifier: none,
  RestElement: argument,
  SequenceExpression(walk, node) {
    walk.goAll(node.expressions);
  },
  SpreadElement: argument,
  Super: none,
  TaggedTemplateExpression(walk, node) {
    walk.go(node.tag);
    walk.go(node.quasi);
  },
  TemplateElement: none,
  TemplateLiteral(walk, node) {
    walk.goAll(node.expressions);
  },
  ThisExpression: none,
  UnaryExpression: argument,
  UpdateExpression: argument,
  YieldExpression: suspend,
};

function suspend(walk: RangeWalk, node: AwaitExpression | YieldExpression): void {
  walk.addResumption();
  walk.addContinuation(walk.afterSemicolon(node.end));
  walk.go(node.argument);
}

function call(walk: RangeWalk, node: CallExpression | NewExpression): void {
  walk.go(node.callee);
  walk.goAll(node.arguments);
}

function leftAndRight(walk: RangeWalk, node: { left: AnyNode; right: AnyNode }): void {
  walk.go(node.left);
  walk.go(node.right);
}

function elements(walk: RangeWalk, node: { elements: (AnyNode | null)[] }): void {
  walk.goAll(node.elements);
}

function properties(walk: RangeWalk, node: { properties: AnyNode[] }): void {
  walk.goAll(node.properties);
}

function inner(walk: RangeWalk, node: { expression: AnyNode }): void {
  walk.go(node.expression);
}

function argument(walk: RangeWalk, node: { argument: AnyNode }): void {
  walk.go(node.argument);
}
