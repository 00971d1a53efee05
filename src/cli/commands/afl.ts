import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../../base/user_error.ts";
import { aflEnvironment, aflMapSize, aflOptions, findAfl } from "../../fuzzing/afl_environment.ts";
import { buildAflBridge } from "../../fuzzing/build_bridge.ts";
import { writeDictionary } from "../../fuzzing/dictionary.ts";
import { group } from "../../fuzzing/findings.ts";
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
import { FindingsSession, statusesOf } from "../findings_session.ts";
import { checkForKcov, runWithKcov } from "../fuzz_session.ts";
import { harnessOptions, limitsOf } from "../harness_options.ts";
import { type ServerArguments, withServer } from "../options.ts";

type Arguments = ServerArguments & BridgeArguments & {
  readonly target: string;
  readonly seeds: string | undefined;
  readonly output: string;
};

const SEEDS = "seeds";
/** AFL++'s word for the queue that is there. */
const RESUME = "-";
const SEED = "hi\n";

/** `kcovfs afl` */
export const afl: Command = {
  command: "afl <target>",
  describe: "fuzz a module's function 'fuzz' with AFL++",
  usage: "kcovfs afl <target> [-i SEEDS] [-o OUT] [options] [-- AFL++'S OPTIONS]",
  builder: (argv: Argv) =>
    withServer(withBridge(argv))
      .positional("target", {
        type: "string",
        demandOption: true,
        describe: "the module: it exports a function 'fuzz' that takes a Buffer",
      })
      .option("seeds", {
        alias: "i",
        type: "string",
        requiresArg: true,
        defaultDescription: "what is in the output folder, or else a folder 'seeds'",
        describe: "a folder of inputs to begin with; '-' goes on with the output folder",
      })
      .option("output", {
        alias: "o",
        type: "string",
        requiresArg: true,
        default: "afl",
        describe: "AFL++'s folder: its queue, crashes, hangs and statistics",
      })
      .example("kcovfs afl target.mjs", "ends with the first finding, and status 1")
      .example(
        "kcovfs afl -i seeds -o out target.mjs --keep-going -- -V 600",
        "options behind '--' are AFL++'s",
      ),
  async run(argv, io) {
    const theirs = optionsAfterDashes(argv);
    return await statusesOf(() => fuzz(argv as unknown as Arguments, { theirs, io }));
  },
};

/** @param how `theirs`: AFL++'s options. */
async function fuzz(
  options: Arguments,
  { theirs, io }: { theirs: readonly string[]; io: Io },
): Promise<number> {
  const target = checkTarget(options.target);
  const globs = globsOf(target, options);
  checkForKcov();
  const program = findAfl();
  const bridge = buildAflBridge();
  const seeds = prepareSeeds(options, io);
  const how = { target, timeout: options.timeout, isOnTerminal: hasScreen(), theirs };
  const held = new HeldIo(io, how.isOnTerminal);
  const session = new FindingsSession(target, { options, fuzzer: "AFL++", io: held });
  using server = await FindingsServer.start((report) => session.take(report, server));
  const limits = limitsOf(options);
  const harness = harnessCommand(harnessOptions(target, options), {
    memory: limits.memory,
    reports: server.reports,
  });
  const hasWords = writeDictionary(server.dictionary, { without: options.without });
  const command = [
    ...[program, "-i", seeds, "-o", options.output, ...aflOptions(how)],
    ...[...(hasWords ? ["-x", server.dictionary] : []), "--", bridge],
  ];
  const status = await runWithKcov(command, {
    options: { ...options, ...globs },
    io,
    env: {
      ...server.env,
      ...bridgeEnvironment(harness, limits),
      ...aflEnvironment(how),
      KCOVFS_MAP_SIZE: String(aflMapSize()),
      KCOVFS_EDGES: server.edgesFile,
    },
  });
  held.release();
  tellShared(server.edges, io);
  return session.end(status, server.executions);
}

function hasScreen(): boolean {
  return process.stdout.isTTY === true && !process.env["AFL_NO_UI"];
}

/** AFL++'s screen would hide what is printed while it is shown. */
class HeldIo implements Io {
  readonly warn: Io["warn"];
  readonly #io: Io;
  #texts: string[] | undefined;

  constructor(io: Io, isHeld: boolean) {
    this.#io = io;
    this.warn = io.warn;
    this.#texts = isHeld ? [] : undefined;
  }

  readonly print = (text: string): void => {
    if (this.#texts) this.#texts.push(text);
    else this.#io.print(text);
  };

  release(): void {
    const texts = this.#texts ?? [];
    this.#texts = undefined;
    for (const text of texts) this.#io.print(text);
  }
}

function tellShared(edges: number, io: Io): void {
  const size = aflMapSize();
  if (edges <= size) return;
  let larger = size;
  while (larger < edges * 1.5) larger *= 2;
  io.warn(
    `${group(edges)} edges shared ${group(size)} counters: set AFL_MAP_SIZE=${larger}, ` +
      "or measure less by --only or --own-code",
  );
}

/**
 * AFL++ wants an input that is not empty.
 *
 * @returns its `-i`.
 */
function prepareSeeds({ seeds, output }: Arguments, io: Io): string {
  if (seeds === RESUME) return RESUME;
  if (seeds !== undefined && !isFolder(seeds)) {
    throw new UserError(`Cannot read the seeds ${seeds}: no such folder`, { status: USAGE });
  }
  if (seeds === undefined && existsSync(join(output, "default", "queue"))) return RESUME;
  const folder = seeds ?? SEEDS;
  if (isFolder(folder) && hasInput(folder)) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "seed"), SEED);
  io.warn(`no inputs to begin with: made ${join(folder, "seed")}; inputs of your own help more`);
  return folder;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function hasInput(folder: string): boolean {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false }))
    .some((stats) => stats?.isFile() && stats.size > 0);
}
