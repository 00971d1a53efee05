import type {
  AnyNode,
  BinaryExpression,
  CallExpression,
  Expression,
  ExpressionStatement,
  SwitchStatement,
} from "acorn";
import type { BoundNames } from "./bound_names.ts";
import { constantText, isBeyondRecords } from "./constant_text.ts";
import type { Edits } from "./edits.ts";
import { CONSTANT_SOUGHT, PROBE_NAMES, TEXT_METHODS } from "./probe_names.ts";

/** Something that compares. */
export type Comparing = BinaryExpression | CallExpression | SwitchStatement;

const OPERATORS: ReadonlySet<string> = new Set([
  "==",
  "!=",
  "===",
  "!==",
  "<",
  "<=",
  ">",
  ">=",
]);

/** The parts of a source that its comparison probes depend on. */
export interface ComparisonOptions {
  readonly edits: Edits;
  readonly bound: BoundNames;
  /** Statements that are an expression, by their start. */
  readonly statements: ReadonlyMap<number, ExpressionStatement>;
}

/** Whether a node may get a probe from {@linkcode ComparisonProbes}. */
export function isComparing(node: AnyNode): node is Comparing {
  switch (node.type) {
    case "BinaryExpression":
      return OPERATORS.has(node.operator) && !isBeyondRecords(node.left) &&
        !isBeyondRecords(node.right);
    case "CallExpression":
      return textMethod(node) !== undefined;
    default:
      return node.type === "SwitchStatement";
  }
}

/**
 * Puts probes at comparisons. Each operator stays in its place, since V8 remembers by place which types it has
 * seen. Operands are evaluated once and in the same order. An operand is read again only if nobody can see
 * that: variables, `this` and constants. Otherwise its value is held up to the next operand, with nothing in
 * between.
 */
export class ComparisonProbes {
  readonly #edits: Edits;
  readonly #bound: BoundNames;
  readonly #statements: ReadonlyMap<number, ExpressionStatement>;

  constructor({ edits, bound, statements }: ComparisonOptions) {
    this.#edits = edits;
    this.#bound = bound;
    this.#statements = statements;
  }

  /** @param block The block that the node is in. */
  add(block: number, node: Comparing): void {
    if (node.type === "SwitchStatement") this.#addSwitch(block, node);
    else if (node.type === "CallExpression") this.#addCall(block, node);
    else this.#addOperator(block, node as { left: Expression; right: Expression });
  }

  #addOperator(block: number, { left, right }: { left: Expression; right: Expression }): void {
    const [constantLeft, constantRight] = [constantText(left), constantText(right)];
    if (constantLeft !== undefined) {
      if (constantRight === undefined) this.#wrapConstant(block, right, constantLeft);
    } else if (constantRight !== undefined) {
      this.#wrapConstant(block, left, constantRight);
    } else {
      const again = this.#readAgain(left) ?? this.#hold(left);
      this.#edits.wrap(right, [
        (pc) => `${PROBE_NAMES.compare}(${pc(block)},${again},`,
        ")",
      ]);
    }
  }

  #wrapConstant(block: number, value: Expression, constant: string): void {
    this.#separate(value);
    this.#edits.wrap(value, [
      (pc) => `${PROBE_NAMES.constant}(${pc(block)},`,
      `,${constant})`,
    ]);
  }

  /**
   * Constant cases stay, since V8 makes a table of them. Other cases need a discriminant that can be read
   * again. An expression that is wrapped may have commas.
   */
  #addSwitch(block: number, { discriminant, cases }: SwitchStatement): void {
    if (isBeyondRecords(discriminant)) return;
    const tests = cases.flatMap(({ test }) => test && !isBeyondRecords(test) ? [test] : []);
    const constants = tests.map(constantText).filter((text) => text !== undefined);
    if (constants.length > 0) {
      this.#edits.wrap(discriminant, [
        (pc) => `${PROBE_NAMES.cases}(${pc(block)},(`,
        `),[${constants.join(",")}])`,
      ]);
    }
    const again = constantText(discriminant) ?? this.#readAgain(discriminant);
    if (again === undefined) return;
    for (const test of tests.filter((one) => constantText(one) === undefined)) {
      this.#edits.wrap(test, [(pc) => `${PROBE_NAMES.compare}(${pc(block)},${again},(`, "))"]);
    }
  }

  #addCall(block: number, node: CallExpression): void {
    const { object, property, optional } = node.callee as Extract<
      AnyNode,
      { type: "MemberExpression" }
    >;
    const [sought] = node.arguments;
    const isConstant = constantText(sought as Expression) !== undefined;
    const kind = TEXT_METHODS[(property as { name: string }).name] +
      (isConstant ? CONSTANT_SOUGHT : 0);
    const known = constantText(object) ?? this.#readAgain(object as Expression);
    // The part of a chain before a link must not be taken out of the chain.
    if (known === undefined && (optional || isInChain(object))) return;
    const text = known ?? this.#hold(object as Expression);
    this.#edits.wrap(sought, [
      (pc) => `${PROBE_NAMES.text}(${pc(block)},${kind},${text},`,
      ")",
    ]);
  }

  /** The text that reads an operand once more; undefined if that could be seen. */
  #readAgain(node: AnyNode): string | undefined {
    switch (node.type) {
      case "ParenthesizedExpression":
        return this.#readAgain(node.expression);
      case "ThisExpression":
        return "this";
      case "Identifier":
        return this.#bound.has(node.name) ? node.name : undefined;
      default:
        return undefined;
    }
  }

  /** @returns the text that reads it, before anything else is evaluated. */
  #hold(node: Expression): string {
    const held = `${PROBE_NAMES.held}.v`;
    this.#separate(node);
    this.#edits.wrap(node, [`(${held}=`, ")"]);
    return held;
  }

  /** Keeps a parenthesis or a name from continuing the statement before, which may lack its semicolon. */
  #separate({ start }: Expression): void {
    const statement = this.#statements.get(start);
    if (statement) this.#edits.wrap(statement, [";", ""]);
  }
}

/** The name of the method, if it may be a string method that compares. */
function textMethod({ callee, arguments: [sought], optional }: CallExpression): string | undefined {
  if (callee.type !== "MemberExpression" || callee.computed || optional) return undefined;
  const { object, property } = callee;
  if (object.type === "Super" || property.type !== "Identifier") return undefined;
  if (!sought || sought.type === "SpreadElement") return undefined;
  return property.name in TEXT_METHODS ? property.name : undefined;
}

/** Whether an expression, up to parentheses, has an optional link. */
function isInChain(node: AnyNode): boolean {
  switch (node.type) {
    case "MemberExpression":
      return node.optional || isInChain(node.object);
    case "CallExpression":
      return node.optional || isInChain(node.callee);
    default:
      return false;
  }
}
