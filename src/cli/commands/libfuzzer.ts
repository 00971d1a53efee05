import { existsSync, mkdirSync } from "node:fs";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../../base/user_error.ts";
import { buildLibfuzzerBridge } from "../../fuzzing/build_bridge.ts";
import { withDictionary } from "../../fuzzing/dictionary.ts";
import { FindingsServer } from "../../fuzzing/findings_server.ts";
import { checkTarget, harnessCommand } from "../../fuzzing/harness_command.ts";
import {
  type BridgeArguments,
  bridgeEnvironment,
  globsOf,
  optionsAfterDashes,
  withBridge,
} from "../bridge_options.ts";
import type { Command, Io } from "../command.ts";
import { type GuidanceArguments, guidanceEnv, withGuidance } from "../guidance.ts";
import { FindingsSession, statusesOf } from "../findings_session.ts";
import { checkForKcov, runWithKcov } from "../fuzz_session.ts";
import { harnessOptions, limitsOf } from "../harness_options.ts";
import { type ServerArguments, withServer } from "../options.ts";

type Arguments = ServerArguments & BridgeArguments & {
  readonly target: string;
  readonly corpus: readonly string[];
} & GuidanceArguments;

/** libFuzzer's status when it is interrupted. */
const INTERRUPTED = 72;

/** `kcovfs libfuzzer` */
export const libfuzzer: Command = {
  command: "libfuzzer <target> [corpus..]",
  describe: "fuzz a module's function 'fuzz' with libFuzzer",
  usage: "kcovfs libfuzzer <target> [corpus..] [options] [-- LIBFUZZER'S OPTIONS]",
  builder: (argv: Argv) =>
    withGuidance(withServer(withBridge(argv)))
      .positional("target", {
        type: "string",
        demandOption: true,
        describe: "the module: it exports a function 'fuzz' that takes a Buffer",
      })
      .positional("corpus", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "folders of inputs; what libFuzzer keeps goes into the first",
      })
      .example("kcovfs libfuzzer target.mjs", "ends with the first finding, and status 1")
      .example(
        "kcovfs libfuzzer target.mjs corpus --expect SyntaxError -- -max_total_time=600",
        "options behind '--' are libFuzzer's",
      ),
  async run(argv, io) {
    const theirs = optionsAfterDashes(argv);
    return await statusesOf(() => fuzz(argv as unknown as Arguments, { theirs, io }));
  },
};

/** @param how `theirs`: libFuzzer's options. */
async function fuzz(
  options: Arguments,
  { theirs, io }: { theirs: readonly string[]; io: Io },
): Promise<number> {
  const target = checkTarget(options.target);
  const globs = globsOf(target, options);
  checkForKcov();
  const bridge = buildLibfuzzerBridge();
  makeCorpus(options.corpus);
  const session = new FindingsSession(target, { options, fuzzer: "libFuzzer", io });
  using server = await FindingsServer.start((report) => session.take(report, server));
  const limits = limitsOf(options);
  const harness = harnessCommand(harnessOptions(target, options), {
    memory: limits.memory,
    reports: server.reports,
  });
  const engine = withDictionary(theirs, { file: server.dictionary, without: options.without });
  const status = await runWithKcov([bridge, ...engine, ...options.corpus], {
    options: { ...options, ...globs },
    io,
    env: {
      ...server.env,
      ...bridgeEnvironment(harness, limits),
      ...guidanceEnv(options, server.words),
    },
    onServer: (kcovfs) => session.takeWordsFrom(kcovfs),
  });
  return session.end(status === INTERRUPTED ? 0 : status, server.executions);
}

/** libFuzzer does not make folders. */
function makeCorpus([first, ...others]: readonly string[]): void {
  if (first !== undefined && !existsSync(first)) mkdirSync(first, { recursive: true });
  const missing = others.find((folder) => !existsSync(folder));
  if (missing === undefined) return;
  throw new UserError(`Cannot read the corpus ${missing}: no such file or folder`, {
    status: USAGE,
  });
}
