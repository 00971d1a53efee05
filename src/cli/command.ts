import type { Session } from "node:inspector";
import type { Argv } from "yargs";
import type { Reporter } from "../base/reporter.ts";
import { USAGE, UserError } from "../base/user_error.ts";

/** Takes a command's output; it is the program's reporter, too. */
export interface Io extends Reporter {
  readonly print: (text: string) => void;
  /** Coverage of this process, begun before its code was loaded; for `--self`. */
  readonly self?: Session | undefined;
}

/** A command of the command line. */
export interface Command {
  /** Its name and positional arguments, as yargs writes them. */
  readonly command: string;
  readonly describe: string;
  /** The usage line, where that of yargs would lack something. */
  readonly usage?: string;
  readonly builder: (argv: Argv) => Argv;
  /** @returns the exit status. */
  readonly run: (argv: Record<string, unknown>, io: Io) => Promise<number>;
}

/** The command line after `--`. */
export function commandAfterDashes(argv: Record<string, unknown>): string[] {
  const command = (argv["--"] as unknown[] | undefined)?.map(String) ?? [];
  if (command.length === 0) {
    throw new UserError("a command is missing: put it after '--'", { status: USAGE });
  }
  return command;
}
