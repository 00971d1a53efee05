import { existsSync } from "node:fs";
import picomatch from "picomatch";
import { USAGE, UserError } from "../base/user_error.ts";

/**
 * Refuses globs that cannot be meant: an invalid one, and one that matches no script whatever runs.
 *
 * @param option Its name, for the error.
 * @throws {UserError} about the option.
 */
export function checkGlobs(option: string, globs: readonly string[]): string[] {
  for (const glob of globs) checkGlob(option, glob);
  return [...globs];
}

function checkGlob(option: string, glob: string): void {
  try {
    picomatch.makeRe(glob, { dot: true, strictBrackets: true });
  } catch (error) {
    const { message } = error as Error;
    const [, which, bracket] = /^Missing (opening|closing): "(.)"/.exec(message) ?? [];
    const reason = bracket ? `its ${which} ${bracket} is missing` : message;
    throw new UserError(`${option} '${glob}' is no glob: ${reason}`, { status: USAGE });
  }
  // Either the user's shell has expanded a pattern, or the user expects a path to suffice.
  if (glob.startsWith("/") || !existsSync(glob)) return;
  throw new UserError(
    `${option} ${glob} is a file here, but paths of scripts are absolute: ` +
      `say ${option} '**/${glob.replace(/^(?:\.?\/)+/, "")}', in quotes, or the shell replaces it`,
    { status: USAGE },
  );
}
