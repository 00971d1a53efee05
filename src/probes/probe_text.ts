/** The texts of probes. */
import type { Text } from "./edits.ts";
import { PROBE_NAMES } from "./probe_names.ts";

/** An expression that says that a block is executed. */
export function hit(block: number): Text {
  return (pc) => `${PROBE_NAMES.hit}(${pc(block)})`;
}

/** The same as a statement, whatever stands before it. */
export function hitStatement(block: number): Text {
  return (pc) => `;${PROBE_NAMES.hit}(${pc(block)});`;
}

/** How a statement that says that a block is executed is written, at an offset. */
export type HitStatement = (block: number, at: number) => Text;

/**
 * The same as {@linkcode hitStatement} where the value of the script matters, as that of `eval` is: what
 * declares has none, so that the value stays that of the statement before.
 */
export function hitDeclaration(block: number): Text {
  return (pc) => `;{let _=${PROBE_NAMES.hit}(${pc(block)})}`;
}

/** The same in front of an expression that is worth less than a comma. */
export function hitBefore(block: number): [before: Text, after: Text] {
  return [(pc) => `(${PROBE_NAMES.hit}(${pc(block)}),`, ")"];
}

/** Around an expression that has a value when the block is executed. */
export function around(
  name: "pass" | "some",
  block: number,
): [before: Text, after: Text] {
  return [(pc) => `${PROBE_NAMES[name]}(${pc(block)},`, ")"];
}
