/** The process that runs a user's `fuzz`: see `protocol.ts`. */
import { Worker, type WorkerOptions } from "node:worker_threads";
import { Channel } from "./channel.ts";
import { type Fuzz, loadTarget } from "./load_target.ts";
import { ANSWER, type HarnessOptions } from "./protocol.ts";
import { Runner } from "./runner.ts";

// User code may replace these.
const { setImmediate, setTimeout } = globalThis;
const exit = process.exit.bind(process);

const options = JSON.parse(process.argv[2]) as HarnessOptions;
process.argv.splice(1, 2, options.target);
const channel = new Channel();
const runner = new Runner(options);

/** Inputs after which the event loop turns in any case: something of the module's own may wait for it. */
const TURN = 256;

/**
 * Input after input. Where one has begun something asynchronous, the event loop turns before it is answered:
 * promises, ticks and rejections of an input are over then.
 */
function serve(fuzz: Fuzz): void {
  let isWaiting = false;
  const serveSome = () => {
    for (let i = 0; i < TURN; i++) {
      const input = channel.read();
      if (!input) return exit(0);
      const promise = runner.start(fuzz, input);
      if (promise) return wait(promise);
      if (runner.isAsync) return turn();
      answer();
    }
    setImmediate(serveSome);
  };
  const wait = (promise: PromiseLike<unknown>) => {
    isWaiting = true;
    runner.settle(promise).then(() => {
      isWaiting = false;
      turn();
    });
  };
  const turn = () => {
    if (runner.timers > 0) setTimeout(finish, runner.timers + 1);
    else setImmediate(finish);
  };
  const finish = () => {
    answer();
    serveSome();
  };
  process.on("beforeExit", () => {
    if (!isWaiting) return;
    isWaiting = false;
    runner.neverSettled();
    turn();
  });
  serveSome();
}

function answer(): void {
  const found = runner.finish();
  if (found) channel.answer(ANSWER.finding, found);
  else channel.ok();
}

/** The agent of a target does not look at threads with this option: see `agent/inside/new_workers.cts`. */
const IS_OURS = Symbol.for("kcovfs.ours");
const watching = { execArgv: [], env: {}, [IS_OURS]: true };
new Worker(new URL("./watcher.js", import.meta.url), watching as WorkerOptions).unref();
runner.watch();
const loaded = await loadTarget(options.target);
if (typeof loaded === "function") {
  runner.watchExit((found) => channel.answer(ANSWER.leaving, found));
  runner.begin();
  channel.answer(ANSWER.loaded);
  serve(loaded);
} else {
  channel.answer(ANSWER.failed, loaded);
  exit(1);
}
