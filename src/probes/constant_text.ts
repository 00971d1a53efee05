import type { AnyNode } from "acorn";

/**
 * Text on one line for the value of an expression that is a constant number, bigint or string; undefined for
 * all others.
 */
export function constantText(node: AnyNode): string | undefined {
  switch (node.type) {
    case "ParenthesizedExpression":
      return constantText(node.expression);
    case "Literal":
      return literalText(node.value);
    case "TemplateLiteral":
      return node.expressions.length === 0 ? literalText(node.quasis[0].value.cooked) : undefined;
    case "UnaryExpression": {
      const { operator, argument } = node;
      const isNumber = argument.type === "Literal" &&
        (typeof argument.value === "number" || typeof argument.value === "bigint");
      return operator === "-" && isNumber ? `-${literalText(argument.value)}` : undefined;
    }
    default:
      return undefined;
  }
}

function literalText(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value).replace(
        /[\u2028\u2029]/g,
        (end) => end === "\u2028" ? "\\u2028" : "\\u2029",
      );
    case "number":
      return Number.isFinite(value) ? String(value) : undefined;
    case "bigint":
      return `${value}n`;
    default:
      return undefined;
  }
}

/** Whether comparisons with an expression cannot be recorded as numbers or texts. */
export function isBeyondRecords(node: AnyNode): boolean {
  switch (node.type) {
    case "ParenthesizedExpression":
      return isBeyondRecords(node.expression);
    case "Identifier":
      return node.name === "undefined";
    case "Literal":
      return literalText(node.value) === undefined;
    case "UnaryExpression":
      return ["!", "delete", "typeof", "void"].includes(node.operator);
    case "ArrayExpression":
    case "ArrowFunctionExpression":
    case "ClassExpression":
    case "FunctionExpression":
    case "ObjectExpression":
    case "PrivateIdentifier":
      return true;
    default:
      return false;
  }
}
