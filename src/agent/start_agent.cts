/** Brings the agent into a process before its first line, by what its environment says. */
const fs = require("node:fs") as typeof import("node:fs");
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
    isLoaded: boolean;
  }) => {
    readonly control: Int32Array;
    join(): void;
    restore(): void;
  };
};

const { compareExchange, load } = Atomics;
const { ABSENT, CONTROL, READY, START_TIMEOUT, waitFor } = memory;
const STATE = CONTROL["state"];

/**
 * Has coverage on before any user code runs.
 *
 * @param options `isLoaded`: whether NODE_OPTIONS named `preload.cts` when the process began, so that its
 * threads load that, too.
 */
function startAgent(socketPath: string, { isLoaded }: { isLoaded: boolean }): void {
  const name = process.env["KCOVFS_NAME"] || defaultName();
  const parent = process.env["KCOVFS_PARENT"];
  const agent = new MainAgent({
    socketPath,
    name,
    parent,
    include: process.env["KCOVFS_INCLUDE"],
    exclude: process.env["KCOVFS_EXCLUDE"],
    collector: process.env["KCOVFS_COLLECTOR"],
    isLoaded,
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

module.exports = { startAgent };
