/** The command line. */
import type { Session } from "node:inspector";
import yargs, { type Argv } from "yargs";
import { onOneLine, visibleLines } from "../report/display_text.ts";
import { logger } from "../base/logger.ts";
import { VERSION } from "../base/version.ts";
import type { Command, Io } from "./command.ts";
import { afl } from "./commands/afl.ts";
import { attach } from "./commands/attach.ts";
import { detach } from "./commands/detach.ts";
import { dictionary } from "./commands/dictionary.ts";
import { doctor } from "./commands/doctor.ts";
import { env } from "./commands/env.ts";
import { fuzz } from "./commands/fuzz.ts";
import { installService } from "./commands/install_service.ts";
import { instrument } from "./commands/instrument.ts";
import { libfuzzer } from "./commands/libfuzzer.ts";
import { mount } from "./commands/mount.ts";
import { ps } from "./commands/ps.ts";
import { replay } from "./commands/replay.ts";
import { report } from "./commands/report.ts";
import { run } from "./commands/run.ts";
import { runInput } from "./commands/run_input.ts";
import { symbolize } from "./commands/symbolize.ts";
import { top } from "./commands/top.ts";
import { unmount } from "./commands/unmount.ts";
import { explainUsage } from "./usage_errors.ts";
import { USAGE, UserError } from "../base/user_error.ts";

/** The commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...[libfuzzer, afl, runInput, fuzz, mount, run, attach, detach, ps, symbolize],
  ...[top, report, dictionary, env, instrument, replay, unmount, doctor, installService],
];

/** A command of yargs' own: its name and its description. */
export const COMPLETION = [
  "completion",
  "print a script that completes commands in bash or zsh",
] as const;

const log = logger("cli");

/** Width of help texts. */
const COLUMNS = 100;

/**
 * Runs the command line.
 *
 * @param args Without `node` and the script.
 * @param options `self`: see {@linkcode Io}.
 * @returns the exit status: 0, 1 when something failed, 2 when the command line makes no sense; `run`
 * and `fuzz` hand on their command's.
 */
export async function main(
  args: readonly string[],
  options: { self?: Session | undefined } = {},
): Promise<number> {
  const io: Io = {
    // It contains names of scripts and targets, which others have made up.
    print: (text) => process.stdout.write(visibleLines(text)),
    warn: (line) => process.stderr.write(`kcovfs: ${onOneLine(line)}\n`),
    self: options.self,
  };
  // A reader that has seen enough (`kcovfs symbolize -all | head`) is no error.
  process.stdout.on("error", () => {});
  try {
    return await parseAndRun(args.map((arg) => arg === "-all" ? "--all" : arg), io);
  } catch (error) {
    return tell(error, { args, io });
  }
}

/**
 * Prints an error of any kind; only this function decides how.
 *
 * @returns the exit status.
 */
function tell(error: unknown, { args, io }: { args: readonly string[]; io: Io }): number {
  const { message, stack = "" } = error as Error;
  if (!(error instanceof UserError)) {
    io.warn(`Cannot go on: ${error}; to see where, run it again with DEBUG=kcovfs:*`);
    if (log.enabled) { for (const line of stack.split("\n")) io.warn(line); }
    return 1;
  }
  if (!error.isUsage) {
    io.warn(message);
    return error.status;
  }
  const command = COMMANDS.find(({ command }) => command.split(" ")[0] === args[0]);
  const said = explainUsage(message.replace(/\s+/g, " "), { args, command, all: COMMANDS });
  io.warn(`${said}; see 'kcovfs ${command ? `${args[0]} ` : ""}--help'`);
  return USAGE;
}

async function parseAndRun(args: readonly string[], io: Io): Promise<number> {
  let status = 0;
  const parser = COMMANDS.reduce<Argv>(
    (argv, command) =>
      argv.command({
        command: command.command,
        describe: command.describe,
        builder: (argv) => command.builder(command.usage ? argv.usage(command.usage) : argv),
        handler: async (parsed) => {
          status = await command.run(parsed, io);
        },
      }),
    yargs([]).scriptName("kcovfs").parserConfiguration({ "populate--": true }),
  );
  await parser
    .usage("kcovfs COMMAND: kcov for V8. Fuzzers of the Linux kernel, guided by JavaScript.")
    .completion(...COMPLETION)
    .demandCommand(1, "a command is missing")
    .strict()
    .strictCommands()
    .version(VERSION)
    .help()
    .alias("h", "help")
    .wrap(COLUMNS)
    .exitProcess(false)
    .fail((message: string, error: Error | undefined) => {
      if (error && error.name !== "YError") throw error;
      throw new UserError(message ?? error?.message, { status: USAGE });
    })
    .parseAsync([...args]);
  return status;
}
