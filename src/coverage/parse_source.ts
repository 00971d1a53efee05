/** Parses what V8 has compiled, whichever of V8's goals it was compiled for. */

import type { Program } from "acorn";
import { LenientParser } from "./lenient_parser.ts";

/** What V8 knows of a source besides its text. */
export interface ParseSourceOptions {
  /** V8's `isModule`, of the event `Debugger.scriptParsed`. */
  readonly isModule: boolean;
}

/**
 * Parses a source, keeping parentheses as nodes.
 *
 * A source that is no module is read as the body of a sloppy function, in which classic scripts,
 * CommonJS files (`return` and `new.target` at the top level), `new Function` and a direct `eval`'s
 * code all fit and `await` is an identifier. If that fails it is read as a module, because a REPL
 * awaits at the top level of its scripts.
 *
 * @throws {SyntaxError} with a message of one line when no goal fits, or when the source is nested
 * deeper than the stack allows. On Node's stack of 984 KB that is 270 functions or 700 parentheses
 * within each other, half of what V8 itself can parse on it (measured, Node 20); a worker's
 * `resourceLimits.stackSizeMb` raises it. Chains of operators and of links do not nest.
 */
export function parseSource(source: string, options: ParseSourceOptions): Program {
  if (options.isModule) return parseAs(source, "module");
  try {
    return parseAs(source, "commonjs");
  } catch (error) {
    if ((error as SyntaxError).cause instanceof RangeError) throw error;
    try {
      return parseAs(source, "module");
    } catch {
      throw error;
    }
  }
}

function parseAs(source: string, sourceType: "commonjs" | "module"): Program {
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
