"use strict";

/**
 * A program that runs paths of `services/paths.cjs` and ends.
 *
 *     node once.cjs HOW PATH
 */

const { spawnSync } = require("node:child_process");
const { Worker } = require("node:worker_threads");
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
  spawns_in_a_row() {
    for (let path = 0; path < Number(number); path++) {
      const { status } = spawnSync(process.execPath, [__filename, "exits", String(path % 64)]);
      if (status !== path % 64) throw new Error(`${path} ended with ${status}`);
    }
  },
  threads() {
    const count = Number(number);
    const code = "const { workerData: { file, path } } = require('node:worker_threads');" +
      "require(file).run(Buffer.from([path]))";
    const file = require.resolve("../fixtures/services/paths.cjs");
    for (let path = 0; path < count; path++) {
      new Worker(code, { eval: true, workerData: { file, path: path % 64 } });
    }
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
