import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../base/user_error.ts";
import type { Limits } from "../fuzzing/answers.ts";
import { type HarnessArguments, withHarness } from "./harness_options.ts";
import type { ServerArguments } from "./options.ts";

/** Between the words of the harness's command: see `bridges/bridge.h`. */
const SEPARATOR = "\x1f";

/** The options of the commands that have a fuzzer run a function. */
export function withBridge<T>(argv: Argv<T>) {
  return withHarness(argv)
    .option("findings", {
      type: "string",
      requiresArg: true,
      default: "findings",
      describe: "the folder for inputs that do something wrong",
    })
    .option("keep-going", {
      type: "boolean",
      default: false,
      describe: "go on after a finding; each cause is told once, and all at the end",
    })
    .option("own-code", {
      type: "boolean",
      default: false,
      describe: "be guided by your own code only, not by node_modules",
    })
    .option("only", {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      defaultDescription: "all",
      describe: "be guided by this package of node_modules only; repeatable",
    });
}

type Parsed<A> = A extends Argv<infer T> ? T : never;

/** The arguments that {@linkcode withBridge} adds. */
export type BridgeArguments =
  & HarnessArguments
  & Parsed<ReturnType<typeof withBridge<unknown>>>;

/** The options for the fuzzer itself. */
export function optionsAfterDashes(argv: Record<string, unknown>): string[] {
  return (argv["--"] as unknown[] | undefined)?.map(String) ?? [];
}

/** A bridge's environment, without the line to kcovfs: see `bridges/bridge.h`. */
export function bridgeEnvironment(harness: readonly string[], limits: Limits): NodeJS.ProcessEnv {
  return {
    KCOVFS_NAME: "fuzz",
    KCOVFS_HARNESS: harness.join(SEPARATOR),
    KCOVFS_HARNESS_TIMEOUT: String(limits.timeout),
    KCOVFS_HARNESS_MEMORY: String(limits.memory),
  };
}

/** The scripts that guide. */
export function globsOf(
  target: string,
  { include, exclude, only, ...options }: ServerArguments & BridgeArguments,
) {
  return {
    include: [...include, ...only.flatMap((name) => packageGlobs(target, name))],
    exclude: [...exclude, ...(options["own-code"] ? ["**/node_modules/**"] : [])],
  };
}

function packageGlobs(target: string, name: string): string[] {
  for (let folder = dirname(target);; folder = dirname(folder)) {
    const place = join(folder, "node_modules", name);
    if (existsSync(place)) {
      // A package of the same workspace is a link.
      const real = realpathSync(place).replace(/[\\*?[\]{}()!+@|]/g, "\\$&");
      return [`**/node_modules/${name}/**`, `${real}/**`];
    }
    if (folder === dirname(folder)) break;
  }
  throw new UserError(`--only ${name}: no such package in a node_modules of ${target}`, {
    status: USAGE,
  });
}
