/**
 * What `--require` loads into a target before any user code: it waits until coverage is on. In the
 * target's worker threads it hands over to `thread.cts`.
 */
const { isInternalThread, isMainThread } = require("node:worker_threads") as {
  readonly isInternalThread?: boolean;
  readonly isMainThread: boolean;
};
const fs = require("node:fs") as typeof import("node:fs");
const { isOurs } = require("./our_command.cjs") as { isOurs: () => boolean };
const memory = require("./memory.cjs") as {
  readonly ABSENT: number;
  readonly CONTROL: Readonly<Record<string, number>>;
  readonly READY: number;
  readonly START_TIMEOUT: number;
  finalName(control: Int32Array): string;
  waitFor(
    isOver: () => boolean,
    options: { control: Int32Array; index: number; timeout: number },
  ): void;
};
const { defaultName, MainAgent } = require("./main_agent.cjs") as {
  defaultName: () => string;
  MainAgent: new (options: {
    socketPath: string;
    name: string;
    parent: string | undefined;
    include: string | undefined;
    exclude: string | undefined;
    collector: string | undefined;
  }) => {
    readonly control: Int32Array;
    join(): void;
    restore(): void;
  };
};

const { compareExchange, load } = Atomics;
const { ABSENT, CONTROL, READY, START_TIMEOUT, waitFor } = memory;
const STATE = CONTROL["state"];

const socket = process.env["KCOVFS_SOCKET"];
if (isInternalThread) keepHooksOut();
else if (!isMainThread) (require("./thread.cjs") as { join: () => void }).join();
else if (socket && !isOurs()) start(socket);

/** In a thread of Node's own. */
function keepHooksOut(): void {
  if (process.env["KCOVFS_COLLECTOR"] !== "trace") return;
  (require("./whole_hooks.cjs") as { keepHooksOut: () => void }).keepHooksOut();
}

/** Has coverage on before any user code runs. */
function start(socketPath: string): void {
  const name = process.env["KCOVFS_NAME"] || defaultName();
  const parent = process.env["KCOVFS_PARENT"];
  const agent = new MainAgent({
    socketPath,
    name,
    parent,
    include: process.env["KCOVFS_INCLUDE"],
    exclude: process.env["KCOVFS_EXCLUDE"],
    collector: process.env["KCOVFS_COLLECTOR"],
  });
  const { control } = agent;
  const isSettled = () => load(control, STATE) !== 0;
  waitFor(isSettled, { control, index: STATE, timeout: START_TIMEOUT });
  // From here on the worker stays out of the way.
  if (compareExchange(control, STATE, 0, ABSENT) !== READY) {
    fs.writeSync(2, `kcovfs: no server answers at ${socketPath}: running without coverage\n`);
    agent.restore();
    return;
  }
  // What this process starts is named after it.
  process.env["KCOVFS_PARENT"] = memory.finalName(control);
  delete process.env["KCOVFS_NAME"];
  agent.join();
}
