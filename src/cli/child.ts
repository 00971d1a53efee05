import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { constants } from "node:os";
import { Failure } from "./failure.ts";

/** Starts a command; rejects with a {@linkcode Failure} when there is none such. */
export function start(command: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  const child = spawn(command[0], command.slice(1), options);
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child));
    child.once("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "ENOENT" ? "no such command" : error.message;
      reject(new Failure(`Cannot run ${command[0]}: ${reason}`));
    });
  });
}

/**
 * Waits for a child, handing on the signals that ask this process to end; a terminal sends SIGINT to
 * both.
 *
 * @returns its exit status as a shell tells it: 128 and the signal's number for one that was killed.
 */
export async function waitFor(child: ChildProcess): Promise<number> {
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  const ignore = () => {};
  process.on("SIGTERM", forward).on("SIGHUP", forward).on("SIGINT", ignore);
  try {
    return await new Promise((resolve) => {
      child.once(
        "exit",
        (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code ?? 1),
      );
    });
  } finally {
    process.off("SIGTERM", forward).off("SIGHUP", forward).off("SIGINT", ignore);
  }
}
