import { resolve } from "node:path";
import { UserError } from "../base/user_error.ts";
import {
  endOf,
  hangOf,
  type Limits,
  memoryOf,
  readFailure,
  readFound,
} from "../fuzzing/answers.ts";
import { Findings, group, summarize } from "../fuzzing/findings.ts";
import { END, type FindingsServer, type Report } from "../fuzzing/findings_server.ts";
import { BROKEN } from "../fuzzing/harness_command.ts";
import { ANSWER, type Found, type LoadFailure } from "../harness/protocol.ts";
import type { Server } from "../server/server.ts";
import type { BridgeArguments } from "./bridge_options.ts";
import type { Io } from "./command.ts";
import { writeScriptWords } from "./guidance.ts";
import { replayCommand } from "./harness_options.ts";

/** The status when something was found. */
const FOUND = 1;

/** Runs a fuzzer's command; whatever fails there has a status that does not mean a finding. */
export async function statusesOf(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof UserError) || error.status !== FOUND) throw error;
    throw new UserError(error.message, { ...BROKEN, cause: error });
  }
}

/** One run: what is found in it, and what is said of that. */
export class FindingsSession {
  readonly #findings: Findings;
  readonly #limits: Limits;
  readonly #options: BridgeArguments & { readonly target: string };
  readonly #fuzzer: string;
  readonly #io: Io;
  readonly #start = performance.now();
  #server: Pick<Server, "scripts"> | undefined;
  #failure: LoadFailure | undefined;
  #error: unknown;

  /** @param how `fuzzer`: its name. */
  constructor(target: string, { options, fuzzer, io }: {
    options: BridgeArguments & { readonly target: string };
    fuzzer: string;
    io: Io;
  }) {
    this.#options = options;
    this.#fuzzer = fuzzer;
    this.#io = io;
    this.#limits = { timeout: options.timeout, memory: options["max-memory"] };
    this.#findings = new Findings({
      folder: resolve(options.findings),
      target,
      replay: replayCommand(target, options),
    });
  }

  /** Takes the words of the scripts that a server measures, once the module is loaded. */
  takeWordsFrom(server: Pick<Server, "scripts">): void {
    this.#server = server;
  }

  /** @returns whether to go on. */
  async take(report: Report, { reports, executions, words }: FindingsServer): Promise<boolean> {
    try {
      if (report.kind === ANSWER.loaded) {
        if (this.#server) writeScriptWords(words, await this.#server.scripts());
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

  /**
   * Says what has come of the run.
   *
   * @param status The fuzzer's.
   * @returns the exit status.
   */
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
    if (status !== 0) {
      const what = `${this.#fuzzer} ended with status ${status}`;
      throw new UserError(`${what}: see what it says above`, BROKEN);
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
