/** The texts of probes. */
import type { Text } from "./edits.ts";
import { PROBE_NAMES } from "./probe_names.ts";

/** An expression that reports a block as executed. */
export function hit(block: number): Text {
  return (pc) => `${PROBE_NAMES.hit}(${pc(block)})`;
}

/** The same as a statement, whatever stands before it. */
export function hitStatement(block: number): Text {
  return (pc) => `;${PROBE_NAMES.hit}(${pc(block)});`;
}

/** Writes, for an offset, a statement that reports a block as executed. */
export type HitStatement = (block: number, at: number) => Text;

/**
 * The same as {@linkcode hitStatement}, for places where the value of the script matters, as that of `eval`
 * does. A declaration has no value, so the value of the statement before remains.
 */
export function hitDeclaration(block: number): Text {
  return (pc) => `;{let _=${PROBE_NAMES.hit}(${pc(block)})}`;
}

/** The same before an expression, which must have no comma outside of parentheses. */
export function hitBefore(block: number): [before: Text, after: Text] {
  return [(pc) => `(${PROBE_NAMES.hit}(${pc(block)}),`, ")"];
}

/** Text around an expression that has a value when the block is executed. */
export function around(
  name: "pass" | "some",
  block: number,
): [before: Text, after: Text] {
  return [(pc) => `${PROBE_NAMES[name]}(${pc(block)},`, ")"];
}
