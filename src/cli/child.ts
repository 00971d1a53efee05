import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { UserError } from "../base/user_error.ts";

/** Starts a command that `checkCommand` has passed; rejects with a {@linkcode UserError}. */
export function start(command: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  const child = spawn(command[0], command.slice(1), options);
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child));
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(new UserError(`Cannot run ${command[0]}: ${error.message}`));
    });
  });
}

const SIGNALS = ["SIGTERM", "SIGHUP", "SIGINT"] as const;

/** Takes the signals that ask this process to end, until it is disposed of: the process ends in its own way. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  /** Resolves at the first signal that {@linkcode take} lets pass. */
  readonly received: Promise<void>;
  readonly #listener: (signal: NodeJS.Signals) => void;
  #take: ((signal: NodeJS.Signals) => void) | undefined;

  constructor() {
    this.received = new Promise((resolve) => {
      this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#listener = (signal) => this.#take ? this.#take(signal) : this.#controller.abort();
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  /** Is aborted by a signal that comes while nobody takes signals. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Passes signals to a listener from now on; undefined ends that. */
  take(listener: ((signal: NodeJS.Signals) => void) | undefined): void {
    this.#take = listener;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}

/**
 * Waits for a child. Passes on the signals that ask this process to end, and wakes a stopped child for them. A
 * SIGINT from the terminal has gone to both already.
 *
 * @param interruption Takes signals again afterwards.
 * @returns its exit status as a shell reports it: 128 and the signal's number for one that was killed.
 */
export async function waitFor(child: ChildProcess, interruption?: Interruption): Promise<number> {
  using own = interruption ? undefined : new Interruption();
  const signals = interruption ?? own!;
  signals.take((signal) => {
    if (signal === "SIGINT" && isInForeground()) return;
    child.kill(signal);
    child.kill("SIGCONT");
  });
  try {
    return await new Promise((resolve) => {
      child.once(
        "exit",
        (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code ?? 1),
      );
    });
  } finally {
    signals.take(undefined);
  }
}

/** Whether the terminal sends SIGINT to this process, and so to the child: see `proc_pid_stat(5)`. */
function isInForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}
