/** Parses sources that V8 has compiled, whichever of its goals they were compiled for. */

import type { Program } from "acorn";
import { LenientParser } from "./lenient_parser.ts";

export interface ParseSourceOptions {
  /** Whether it is a module; guessed from the text if not given. */
  readonly isModule?: boolean;
}

/**
 * Parses a source, keeping parentheses as nodes.
 *
 * A source that is no module is read as the body of a sloppy function. Classic scripts, CommonJS files
 * (`return` and `new.target` at the top level), `new Function` and the code of a direct `eval` all fit in
 * there, and `await` is an identifier. If that fails it is read as a module, because a REPL awaits at the
 * top level of its scripts. If `isModule` is not given, a source in which `await` occurs is tried as a
 * module first: `await (x)` may only be taken for a call when it can be nothing else.
 *
 * A line end within a quoted string is read as part of it, though no source has one. It stands for U+2028
 * or U+2029, which look like one to V8's own functions (see `agent/inside/script_source.cts`).
 *
 * @throws {SyntaxError} with a message of one line when no goal fits, or when the source is nested
 * deeper than the stack allows. On Node's stack of 984 KB that is 270 functions or 700 parentheses
 * within each other, half of what V8 itself can parse on it (measured, Node 20); a worker's
 * `resourceLimits.stackSizeMb` raises it. Chains of operators and of links do not nest.
 */
export function parseSource(source: string, options: ParseSourceOptions): Program {
  if (options.isModule) return parseAs(source, "module");
  const isModuleFirst = options.isModule === undefined && /\bawait\b/.test(source);
  const [first, second] = isModuleFirst ? MODULE_FIRST : SCRIPT_FIRST;
  try {
    return parseAs(source, first);
  } catch (error) {
    if ((error as SyntaxError).cause instanceof RangeError) throw error;
    try {
      return parseAs(source, second);
    } catch (secondError) {
      throw isModuleFirst ? secondError : error;
    }
  }
}

type Goal = "commonjs" | "module";

const SCRIPT_FIRST: readonly Goal[] = ["commonjs", "module"];
const MODULE_FIRST: readonly Goal[] = ["module", "commonjs"];

function parseAs(source: string, sourceType: Goal): Program {
  try {
    return LenientParser.parse(source, {
      ecmaVersion: "latest",
      sourceType,
      preserveParens: true,
      allowSuperOutsideMethod: true,
      checkPrivateFields: false,
    });
  } catch (error) {
    const reason = error instanceof RangeError ? "nested too deeply" : (error as Error).message;
    const line = reason.replace(/\s+/g, " ");
    throw new SyntaxError(`Cannot parse ${sourceType} source: ${line}`, { cause: error });
  }
}
