/** Feeds random inputs to a subject, and prints how to repeat a failure. */
import * as path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { IS_LONG } from "../rounds.ts";
import { Random } from "./random.ts";

/** The code that gets random inputs. */
export interface Subject<Input> {
  readonly name: string;
  /** The number of inputs in `npm test`, and by hand. */
  readonly reduced: number;
  readonly full: number;
  /** ms that one input may take, on a busy machine. @default {5000} */
  readonly limit?: number;
  /** Bytes by which memory may have grown from a third of the inputs to the last. @default {16 MB} */
  readonly growth?: number;
  readonly make: (random: Random) => Input;
  /** Throws when the result is wrong. */
  readonly check: (input: Input) => unknown;
  readonly show: (input: Input) => string;
}

/** The wishes of the command line or the environment. */
export interface Wanted {
  readonly seed: number;
  readonly count: number;
  /** The number of the only input that is wanted. */
  readonly at: number | undefined;
}

/**
 * `--seed N`, `--count N` (or `--full`, as in the long tests, or HOSTILE_ROUNDS=N|full), `--at N`: one input
 * alone.
 *
 * @returns undefined when another subject is wanted alone, by `--only NAME`.
 */
export function wanted(
  subject: Pick<Subject<never>, "name" | "reduced" | "full">,
): Wanted | undefined {
  const options = new Map<string, string>();
  const args = process.argv.slice(2);
  for (const [i, name] of args.entries()) {
    if (name.startsWith("--")) options.set(name, args[i + 1] ?? "");
  }
  const only = options.get("--only");
  if (only !== undefined && only !== subject.name) return undefined;
  const rounds = options.has("--full") || IS_LONG ? "full" : process.env["HOSTILE_ROUNDS"];
  const usual = rounds === "full" ? subject.full : Number(rounds ?? subject.reduced);
  const at = options.get("--at");
  return {
    seed: Number(options.get("--seed") ?? process.env["HOSTILE_SEED"] ?? 1),
    count: Number(options.get("--count") ?? usual),
    at: at === undefined ? undefined : Number(at),
  };
}

/** The command that runs something again. */
export function again(
  name: string,
  { seed, at }: { seed: number; at: number },
): string {
  const file = path.relative(process.cwd(), process.argv[1]);
  return `node ${file} --only "${name}" --seed ${seed} --at ${at}`;
}

/** Bytes in use once the garbage is collected. */
export function memoryInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** Fails when an input fails, takes long, leaves a rejection behind, or when memory grows. */
export async function fuzz<Input>(subject: Subject<Input>): Promise<void> {
  const run = wanted(subject);
  if (!run) return;
  const { seed, count, at } = run;
  using watch = new Watch(subject.name, seed);
  await watch.ready;
  const began = performance.now();
  let before = Infinity;
  for (let i = at ?? 0; i < (at === undefined ? count : at + 1); i++) {
    if (at === undefined && i === Math.floor(count / 3)) before = memoryInUse();
    const input = subject.make(new Random(seed, i));
    try {
      await tryOne(subject, { input, index: i, watch });
    } catch (error) {
      throw new Error(
        `${subject.name}, input ${i} of seed ${seed}: ${describe(error)}\n` +
          `${subject.show(input)}\nAgain: ${again(subject.name, { seed, at: i })}`,
      );
    }
  }
  report(subject.name, { count, began });
  const grown = memoryInUse() - before;
  if (grown > (subject.growth ?? 16 * 2 ** 20)) {
    throw new Error(
      `${subject.name}, seed ${seed}: memory has grown by ${grown} bytes`,
    );
  }
}

/** Prints what ran, when run by hand. */
export function report(
  name: string,
  { count, began }: { count: number; began: number },
): void {
  if (process.argv.length <= 2 && !process.env["HOSTILE_ROUNDS"]) return;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${count} inputs, ${seconds} s\n`);
}

async function tryOne<Input>(
  { check, limit = 5000 }: Subject<Input>,
  { input, index, watch }: { input: Input; index: number; watch: Watch },
): Promise<void> {
  watch.begin(index);
  const began = performance.now();
  const outcome = check(input);
  if (outcome instanceof Promise) await outcome;
  const took = performance.now() - began;
  watch.throwStray();
  if (took > limit) throw new Error(`it took ${took.toFixed(0)} ms`);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** s: if no input ends for so long, the process hangs and is ended. */
const PATIENCE = 60;

const WATCHDOG = `
const { workerData: { progress, line, patience } } = require("node:worker_threads");
let last = -1;
let since = Date.now();
setInterval(() => {
  const now = Atomics.load(progress, 0);
  if (now !== last) [last, since] = [now, Date.now()];
  if (Date.now() - since < patience * 1000) return;
  require("node:fs").writeSync(2, line + " hangs in input " + now + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 1000);
`;

/** Notices an input that never ends, and errors that nobody catches. */
export class Watch implements Disposable {
  readonly #progress = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  /** Resolves when its thread has all that it needs of the process. */
  readonly ready: Promise<unknown>;
  #strays: unknown[] = [];
  readonly #note = (error: unknown): void => void this.#strays.push(error);

  constructor(name: string, seed: number) {
    const line = `${name}, seed ${seed}:`;
    const workerData = { progress: this.#progress, line, patience: PATIENCE };
    this.#worker = new Worker(WATCHDOG, { eval: true, workerData });
    this.ready = new Promise((resolve) =>
      this.#worker.once("online", () => {
        this.#worker.unref();
        resolve(undefined);
      })
    );
    process.on("unhandledRejection", this.#note);
    process.on("uncaughtException", this.#note);
  }

  begin(index: number): void {
    Atomics.store(this.#progress, 0, index);
  }

  /** @throws an error that nobody has caught since the last call. */
  throwStray(): void {
    const [stray] = this.#strays.splice(0);
    if (stray !== undefined) {
      throw new Error(`nobody caught ${describe(stray)}`);
    }
  }

  [Symbol.dispose](): void {
    process.off("unhandledRejection", this.#note);
    process.off("uncaughtException", this.#note);
    this.#worker.terminate();
  }
}
