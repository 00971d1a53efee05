import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Argv } from "yargs";
import { USAGE, UserError } from "../../base/user_error.ts";
import { causeOf } from "../../fuzzing/cause.ts";
import { describe, preview } from "../../fuzzing/findings.ts";
import { checkTarget, harnessCommand } from "../../fuzzing/harness_command.ts";
import { HarnessProcess, type HarnessStart } from "../../fuzzing/harness_process.ts";
import { minimize } from "../../fuzzing/minimize.ts";
import { CLASSES, type Found } from "../../harness/protocol.ts";
import type { Command, Io } from "../command.ts";
import {
  type HarnessArguments,
  harnessOptions,
  limitsOf,
  withHarness,
} from "../harness_options.ts";

type Arguments = HarnessArguments & {
  readonly target: string;
  readonly file: readonly string[];
  readonly minimize: boolean;
};

const FOUND = 1;
/** s of processor time that show a hang while an input is made shorter, and how many are tried. */
const SHORT_TIMEOUT = 2;
const FEW_TRIES = 100;

/** `kcovfs run-input` */
export const runInput: Command = {
  command: "run-input <target> <file..>",
  describe: "run a module's function 'fuzz' on inputs, without a fuzzer, and say what is found",
  usage: "kcovfs run-input <target> <file..> [options]",
  builder: (argv: Argv) =>
    withHarness(argv)
      .positional("target", { type: "string", demandOption: true, describe: "the module" })
      .positional("file", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "an input each",
      })
      .option("minimize", {
        type: "boolean",
        default: false,
        describe: "write FILE.min, as short as the same cause lets it be",
      })
      .example("kcovfs run-input target.mjs findings/TypeError-1f0c9a2b", "needs no root"),
  async run(argv, io) {
    const options = argv as unknown as Arguments;
    const target = checkTarget(options.target);
    const inputs = options.file.map((file) => ({ file, input: readInput(file) }));
    const reports = mkdtempSync(join(tmpdir(), "kcovfs-reports-"));
    try {
      const limits = limitsOf(options);
      const command = harnessCommand(harnessOptions(target, options), {
        memory: limits.memory,
        reports,
      });
      const runner = new InputRunner({ command, limits, reports }, options.without);
      return await runAll(inputs, { runner, target, io, isToMinimize: options.minimize });
    } finally {
      rmSync(reports, { recursive: true, force: true });
    }
  },
};

async function runAll(
  inputs: readonly { file: string; input: Uint8Array }[],
  { runner, target, io, isToMinimize }: {
    runner: InputRunner;
    target: string;
    io: Io;
    isToMinimize: boolean;
  },
): Promise<number> {
  await using harness = runner;
  let status = 0;
  for (const { file, input } of inputs) {
    const found = await harness.run(input);
    if (!found) {
      io.print(`${file}: no finding\n`);
      continue;
    }
    status = FOUND;
    const cause = causeOf(found, dirname(target));
    io.print(`== ${cause}, by ${file} (${input.length} bytes): ${preview(input)}\n`);
    io.print(`${describe(found)}\n`);
    if (!isToMinimize) continue;
    // Where a loop is seen is not always the same.
    const isLoop = found.class === CLASSES.hang || found.class === CLASSES.memory;
    const isSame = (other: Found) =>
      isLoop ? other.class === found.class : causeOf(other, dirname(target)) === cause;
    const shorter = await harness.minimize(input, isSame);
    writeFileSync(`${file}.min`, shorter);
    io.print(`shortest: ${file}.min (${shorter.length} bytes): ${preview(shorter)}\n`);
  }
  return status;
}

/** Runs inputs in a harness, and in another when that has ended. */
class InputRunner implements AsyncDisposable {
  readonly #start: HarnessStart;
  readonly #without: readonly string[];
  #harness: HarnessProcess | undefined;

  constructor(start: HarnessStart, without: readonly string[]) {
    this.#start = start;
    this.#without = without;
  }

  async run(input: Uint8Array): Promise<Found | undefined> {
    this.#harness ??= await HarnessProcess.start(this.#start);
    const found = await this.#harness.run(input);
    if (this.#harness.hasEnded) this.#harness = undefined;
    const isOff = found && ["exit", "crash"].includes(found.class) &&
      this.#without.includes("exit");
    return isOff ? undefined : found;
  }

  /** @param isSame Whether a finding has the cause that the input's has. */
  async minimize(input: Uint8Array, isSame: (found: Found) => boolean): Promise<Uint8Array> {
    const { limits } = this.#start;
    // One that never ends costs its whole time.
    const isQuick = this.#harness !== undefined;
    const timeout = isQuick ? limits.timeout : Math.min(limits.timeout, SHORT_TIMEOUT);
    const start = { ...this.#start, limits: { ...limits, timeout } };
    await using inner = new InputRunner(start, this.#without);
    return await minimize(input, async (candidate) => {
      const found = await inner.run(candidate);
      return found !== undefined && isSame(found);
    }, isQuick ? undefined : FEW_TRIES);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#harness?.[Symbol.asyncDispose]();
  }
}

function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no such file" : code;
    throw new UserError(`Cannot read the input ${file}: ${reason}`, { status: USAGE });
  }
}
