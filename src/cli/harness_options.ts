import { relative } from "node:path";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../base/user_error.ts";
import { type HarnessOptions, type Oracle, ORACLES } from "../harness/protocol.ts";

/** s of processor time, MB. */
const TIMEOUT = 10;
const MEMORY = 1024;

/** The options of the commands that run a function on inputs. */
export function withHarness<T>(argv: Argv<T>) {
  return argv
    .option("expect", {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      defaultDescription: "none",
      describe: "errors that are normal: a CLASS, or a /pattern/ of messages; repeatable",
      coerce: checkExpected,
    })
    .option("without", {
      choices: ORACLES,
      array: true,
      nargs: 1,
      default: [] as Oracle[],
      defaultDescription: "none",
      describe: "an oracle that is off; repeatable",
    })
    .option("timeout", {
      type: "number",
      requiresArg: true,
      default: TIMEOUT,
      describe: "s of processor time after which an input is a hang",
      coerce: (value: number) => inRange(value, { name: "--timeout", least: 0.1, most: 86_400 }),
    })
    .option("max-memory", {
      type: "number",
      requiresArg: true,
      default: MEMORY,
      describe: "MB that the function's process may take",
      coerce: (value: number) => inRange(value, { name: "--max-memory", least: 64, most: 1 << 20 }),
    });
}

type Parsed<A> = A extends Argv<infer T> ? T : never;

/** The arguments that {@linkcode withHarness} adds. */
export type HarnessArguments = Parsed<ReturnType<typeof withHarness<unknown>>>;

export function harnessOptions(target: string, argv: HarnessArguments): HarnessOptions {
  return { target, expect: argv.expect, without: argv.without as Oracle[] };
}

/** The limits that the command line sets; one whose oracle is off does not hold. */
export function limitsOf(argv: HarnessArguments): { timeout: number; memory: number } {
  const isOff = (oracle: Oracle) => (argv.without as Oracle[]).includes(oracle);
  return {
    timeout: isOff("hang") ? 0 : argv.timeout,
    memory: isOff("memory") ? 0 : argv["max-memory"],
  };
}

/** The command that runs an input as this one did, without the input. */
export function replayCommand(target: string, argv: HarnessArguments): string[] {
  return [
    ...["kcovfs", "run-input"],
    ...argv.expect.flatMap((text) => ["--expect", text]),
    ...(argv.without as Oracle[]).flatMap((name) => ["--without", name]),
    ...(argv.timeout === TIMEOUT ? [] : ["--timeout", String(argv.timeout)]),
    ...(argv["max-memory"] === MEMORY ? [] : ["--max-memory", String(argv["max-memory"])]),
    relative(process.cwd(), target) || target,
  ];
}

function checkExpected(texts: string[]): string[] {
  for (const text of texts) {
    const [, source, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [];
    const isClass = /^[\p{L}$_][\p{L}\p{N}$_.-]*$/u.test(text);
    if (source === undefined && !isClass) {
      throw new UserError(`--expect '${text}' is neither a class nor a /pattern/`, {
        status: USAGE,
      });
    }
    try {
      if (source !== undefined) new RegExp(source, flags);
    } catch (error) {
      throw new UserError(`--expect '${text}': ${(error as Error).message}`, { status: USAGE });
    }
  }
  return texts;
}

function inRange(value: number, range: { name: string; least: number; most: number }): number {
  if (value >= range.least && value <= range.most) return value;
  throw new UserError(`${range.name} takes a number from ${range.least} to ${range.most}`, {
    status: USAGE,
  });
}
