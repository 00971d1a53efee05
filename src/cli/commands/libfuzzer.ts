import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../../base/user_error.ts";
import {
  endOf,
  hangOf,
  type Limits,
  memoryOf,
  readFailure,
  readFound,
} from "../../fuzzing/answers.ts";
import { buildLibfuzzerBridge } from "../../fuzzing/build_bridge.ts";
import { withDictionary } from "../../fuzzing/dictionary.ts";
import { Findings, group, summarize } from "../../fuzzing/findings.ts";
import { END, FindingsServer, type Report } from "../../fuzzing/findings_server.ts";
import { BROKEN, checkTarget, harnessCommand } from "../../fuzzing/harness_command.ts";
import { ANSWER, type Found, type LoadFailure } from "../../harness/protocol.ts";
import type { Command, Io } from "../command.ts";
import { checkForKcov, runWithKcov } from "../fuzz_session.ts";
import {
  type HarnessArguments,
  harnessOptions,
  limitsOf,
  replayCommand,
  withHarness,
} from "../harness_options.ts";
import {
  type GuidanceArguments,
  guidanceEnv,
  withGuidance,
  writeScriptWords,
} from "../guidance.ts";
import { type ServerArguments, withServer } from "../options.ts";

type Arguments = ServerArguments & HarnessArguments & {
  readonly target: string;
  readonly corpus: readonly string[];
  readonly findings: string;
  readonly "keep-going": boolean;
  readonly "own-code": boolean;
  readonly only: readonly string[];
} & GuidanceArguments;

/** Between the words of the harness's command: see `bridges/libfuzzer.c`. */
const SEPARATOR = "\x1f";
/** The status when something was found. */
const FOUND = 1;
/** libFuzzer's status when it is interrupted. */
const INTERRUPTED = 72;

/** `kcovfs libfuzzer` */
export const libfuzzer: Command = {
  command: "libfuzzer <target> [corpus..]",
  describe: "fuzz a module's function 'fuzz' with libFuzzer",
  usage: "kcovfs libfuzzer <target> [corpus..] [options] [-- LIBFUZZER'S OPTIONS]",
  builder: (argv: Argv) =>
    withGuidance(withServer(withHarness(argv)))
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
      })
      .example("kcovfs libfuzzer target.mjs", "ends with the first finding, and status 1")
      .example(
        "kcovfs libfuzzer target.mjs corpus --expect SyntaxError -- -max_total_time=600",
        "options behind '--' are libFuzzer's",
      ),
  async run(argv, io) {
    try {
      return await fuzz(argv as unknown as Arguments, { theirs: optionsAfterDashes(argv), io });
    } catch (error) {
      if (!(error instanceof UserError) || error.status !== FOUND) throw error;
      throw new UserError(error.message, { ...BROKEN, cause: error });
    }
  },
};

function optionsAfterDashes(argv: Record<string, unknown>): string[] {
  return (argv["--"] as unknown[] | undefined)?.map(String) ?? [];
}

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
  const session = new Session(target, { options, io });
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
      ...guidanceEnv(options, server.words),
      KCOVFS_NAME: "fuzz",
      KCOVFS_HARNESS: harness.join(SEPARATOR),
      KCOVFS_HARNESS_TIMEOUT: String(limits.timeout),
      KCOVFS_HARNESS_MEMORY: String(limits.memory),
    },
    onServer: (kcovfs) => session.scripts = () => kcovfs.scripts(),
  });
  return session.end(status, server.executions);
}

/** One run: what is found in it, and what is said of that. */
class Session {
  readonly #findings: Findings;
  readonly #limits: Limits;
  readonly #options: Arguments;
  readonly #io: Io;
  readonly #start = performance.now();
  /** The texts of the scripts that are fuzzed. */
  scripts = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set());
  #failure: LoadFailure | undefined;
  #error: unknown;

  constructor(target: string, { options, io }: { options: Arguments; io: Io }) {
    this.#options = options;
    this.#io = io;
    this.#limits = { timeout: options.timeout, memory: options["max-memory"] };
    this.#findings = new Findings({
      folder: resolve(options.findings),
      target,
      replay: replayCommand(target, options),
    });
  }

  /** @returns whether to go on. */
  async take(report: Report, { reports, executions, words }: FindingsServer): Promise<boolean> {
    try {
      if (report.kind === ANSWER.loaded) {
        writeScriptWords(words, await this.scripts());
        return true;
      }
      if (report.kind === ANSWER.failed) {
        this.#failure = readFailure(report.text);
        return false;
      }
      const found = this.#foundOf(report, reports);
      if (!found) return true;
      const seconds = (performance.now() - this.#start) / 1000;
      const text = this.#findings.add(found, { input: report.input, executions, seconds });
      if (text) this.#io.print(`\n${text}\n`);
      return this.#options["keep-going"];
    } catch (error) {
      this.#error = error;
      return false;
    }
  }

  /** @returns the exit status. */
  end(status: number, executions: number): number {
    if (this.#error) throw this.#error;
    const { all } = this.#findings;
    const failure = this.#failure && this.#describeFailure(this.#failure);
    if (failure && all.length === 0) throw failure;
    if (failure) this.#io.warn(failure.message);
    if (all.length > 0) {
      if (this.#options["keep-going"]) this.#io.print(summarize(all));
      return FOUND;
    }
    if (status !== 0 && status !== INTERRUPTED) {
      throw new UserError(`libFuzzer ended with status ${status}: see what it says above`, BROKEN);
    }
    const seconds = (performance.now() - this.#start) / 1000;
    this.#io.print(`nothing found in ${group(executions)} executions, ${seconds.toFixed(1)} s\n`);
    return 0;
  }

  #describeFailure({ message, stack }: LoadFailure): UserError {
    for (const line of stack) this.#io.print(`${line}\n`);
    return new UserError(`Cannot fuzz ${this.#options.target}: ${message}`, BROKEN);
  }

  /** @returns undefined where the oracle is off. */
  #foundOf({ kind, text }: Report, reports: string): Found | undefined {
    if (kind === END.hang) return hangOf(text, this.#limits);
    if (kind === END.memory) return memoryOf(text, this.#limits);
    if (kind !== END.died) return readFound(text);
    const found = endOf(text, reports);
    const oracle = found.class === "out-of-memory" ? "memory" : "exit";
    return (this.#options.without as readonly string[]).includes(oracle) ? undefined : found;
  }
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

/** The scripts that guide. */
function globsOf(target: string, { include, exclude, only, ...options }: Arguments) {
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
