"use strict";

/**
 * A program that runs paths of `services/paths.cjs` and ends.
 *
 *     node once.cjs HOW PATH
 */

const { spawnSync } = require("node:child_process");
const { run } = require("../fixtures/services/paths.cjs");

const [how, number] = process.argv.slice(2);
const take = (path = Number(number)) => run(Buffer.from([path]));

const WAYS = {
  returns: () => take(),
  exits: () => process.exit(take()),
  exits_early() {
    setInterval(() => {}, 1000);
    setTimeout(() => process.exit(take()), 20);
  },
  sets_exit_code: () => process.exitCode = take(),
  throws() {
    take();
    throw new Error("on purpose");
  },
  async rejects() {
    await null;
    take();
    throw new Error("on purpose");
  },
  on_exit: () => process.once("exit", () => take()),
  before_exit: () => process.once("beforeExit", () => setTimeout(take, 5, undefined)),
  spawns() {
    const { status } = spawnSync(process.execPath, [__filename, "exits", number]);
    process.exitCode = status;
  },
  aborts() {
    take();
    process.abort();
  },
  on_sigterm() {
    process.once("SIGTERM", () => process.exit(take()));
    process.kill(process.pid, "SIGTERM");
    setInterval(() => {}, 1000);
  },
  answers() {
    process.stdin.on("data", (line) => {
      take(Number(line));
      process.stdout.write("done\n");
    });
  },
};

WAYS[how]();
