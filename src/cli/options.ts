import { resolve } from "node:path";
import type { Argv } from "yargs";
import type { CollectorChoice } from "../messages/protocol.ts";
import type { ServerOptions } from "../server/server.ts";
import type { Hold } from "../targets/target.ts";
import { checkGlobs } from "./check_globs.ts";
import { USAGE, UserError } from "../base/user_error.ts";

/** The folder of the PCs' symbols without `--state`. */
export const DEFAULT_STATE = "/var/lib/kcovfs";
/** ms; see `--collect-timeout`. */
const COLLECT_TIMEOUT = 5000;

/** `--state`, for every command that looks PCs up or gives them out. */
export function withState<T>(argv: Argv<T>) {
  return argv.option("state", {
    type: "string",
    requiresArg: true,
    describe: `folder of the symbol table [default: ${DEFAULT_STATE}]`,
  });
}

/** `--mount`, for every command that needs a server. */
export function withMount<T>(argv: Argv<T>) {
  return argv.option("mount", {
    type: "string",
    requiresArg: true,
    describe: "the server's mount [default: KCOVFS_MOUNT, or the only one there is]",
  });
}

/**
 * `--include` and `--exclude`, for every command that starts a server or targets, or takes some scripts.
 *
 * @param options `verb`: what the command does with scripts. `of`: the text before "scripts" in the help.
 * `fallback`: the meaning without the options.
 */
export function withGlobs<T>(
  argv: Argv<T>,
  { verb = "measure", of = "", fallback = ["all", "none"] } = {},
) {
  const whose = `scripts${of} whose path or URL matches the glob, in quotes; repeatable`;
  return argv
    .option("include", {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      defaultDescription: fallback[0],
      describe: `${verb} only ${whose}`,
      coerce: (globs: string[]) => checkGlobs("--include", globs),
    })
    .option("exclude", {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      defaultDescription: fallback[1],
      describe: `do not ${verb} ${whose}`,
      coerce: (globs: string[]) => checkGlobs("--exclude", globs),
    });
}

/** The arguments of {@linkcode withGlobs}. */
export type GlobArguments = Parsed<ReturnType<typeof withGlobs<unknown>>>;

/** The options of the commands that are a server. */
export function withServer<T>(argv: Argv<T>) {
  return withGlobs(withState(argv))
    .option("collector", {
      choices: ["auto", "trace", "v8"] as const,
      default: "auto" as CollectorChoice,
      defaultDescription: "auto: probes where there can be any, else V8's counters",
      describe:
        "how executed blocks are learned: by probes in the scripts (trace), or from V8's counters",
    })
    .option("passthrough", {
      type: "boolean",
      default: true,
      defaultDescription: "where the kernel can",
      describe: "have probes write straight into the memory that clients map",
    })
    .option("self", {
      type: "boolean",
      default: false,
      describe: "make the server itself a target: its own JavaScript is measured, too",
    })
    .option("hold", {
      choices: ["auto", "none"] as const,
      default: "auto" as Hold,
      describe: "whether targets stand still while a client reads; without it reads may be stale",
    })
    .option("collect-timeout", {
      type: "number",
      requiresArg: true,
      default: COLLECT_TIMEOUT,
      describe: "ms after which a target that does not answer is left out of a read",
      coerce: (value: number) => inRange(value, { name: "--collect-timeout", least: 1, most: 1e6 }),
    })
    .option("allow-remote", {
      type: "boolean",
      default: false,
      describe: "have 'kcovfs attach' connect to addresses of other machines, too",
    })
    .option("record", {
      type: "string",
      requiresArg: true,
      describe: "write all messages to a file, for 'kcovfs replay'",
    })
    .option("mode", {
      type: "string",
      requiresArg: true,
      default: "600",
      describe: "permissions of kcov and of the control socket, in octal",
      coerce: parseMode,
    })
    .option("uid", {
      type: "number",
      requiresArg: true,
      default: 0,
      describe: "their owner",
      coerce: (value: number) => inRange(value, { name: "--uid", least: 0, most: 0xfffffffe }),
    })
    .option("gid", {
      type: "number",
      requiresArg: true,
      default: 0,
      describe: "their group",
      coerce: (value: number) => inRange(value, { name: "--gid", least: 0, most: 0xfffffffe }),
    });
}

type Parsed<A> = A extends Argv<infer T> ? T : never;

/** The arguments of {@linkcode withServer}. */
export type ServerArguments = Parsed<ReturnType<typeof withServer<unknown>>>;

/** The server's options out of the command line's. */
export function serverOptions(
  argv: ServerArguments,
  rest: Pick<ServerOptions, "self" | "reporter">,
): ServerOptions {
  const { collector } = argv;
  if (collector === "trace" && argv.hold === "none") {
    throw new UserError("--collector trace cannot be had with --hold none", { status: USAGE });
  }
  if (collector === "trace" && argv.self) {
    throw new UserError("--collector trace cannot be had with --self: the server has no probes", {
      status: USAGE,
    });
  }
  return {
    state: resolve(argv.state ?? DEFAULT_STATE),
    include: argv.include,
    exclude: argv.exclude,
    hold: argv.hold,
    // Probes need holds, except where no target is ever held.
    collector: collector === "auto" && argv.hold === "none" ? "v8" : collector,
    isPassthrough: argv.passthrough,
    collectTimeout: argv["collect-timeout"],
    allowRemote: argv["allow-remote"],
    mode: argv.mode as unknown as number,
    uid: argv.uid,
    gid: argv.gid,
    ...(argv.record !== undefined && { record: resolve(argv.record) }),
    ...rest,
  };
}

function inRange(value: number, range: { name: string; least: number; most: number }): number {
  if (Number.isInteger(value) && value >= range.least && value <= range.most) return value;
  throw new UserError(`${range.name} takes a whole number from ${range.least} to ${range.most}`, {
    status: USAGE,
  });
}

function parseMode(value: string): number {
  if (/^0?[0-7]{3}$/.test(value)) return parseInt(value, 8);
  throw new UserError("--mode takes three octal digits, such as 660", { status: USAGE });
}
