/**
 * Has the worker threads that user code starts join the target: each gets a way to the agent's worker,
 * by which `thread_isolate.cts` finds it, and the agent is told of it.
 */
import type { MessagePort, TransferListItem, Worker, WorkerOptions } from "node:worker_threads";

const workerThreads = require("node:worker_threads") as typeof import("node:worker_threads");
const { syncBuiltinESMExports } = require("node:module") as typeof import("node:module");
const path = require("node:path") as typeof import("node:path");
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;

const { MessageChannel, SHARE_ENV, getEnvironmentData, setEnvironmentData } = workerThreads;
const { load, store } = Atomics;

/** The environment data of a worker thread that joins. */
const KEY = "kcovfs.agent";
const IS_OURS = Symbol.for("kcovfs.ours");
const PRELOAD = path.join(__dirname, "preload.cjs");

/** What a worker thread is given. */
interface ThreadData {
  readonly port: MessagePort;
  /** Memory shared with the agent, of this thread and of the main thread. */
  readonly control: SharedArrayBuffer;
  readonly main: SharedArrayBuffer;
  /** Whether its environment is that of the thread that has started it. */
  readonly sharesEnv: boolean;
  /** The NODE_OPTIONS that the user gave it: to be put back. */
  readonly options?: { readonly given: string | undefined };
  /** The same of `process.execArgv`. */
  readonly execArgv?: readonly string[];
  /** Whether its scripts are to have probes. */
  readonly isTraced: boolean;
  /** What it runs, where that is no file. */
  readonly text?: string;
}

/** What the agent is told. */
interface NewThread {
  readonly port: MessagePort;
  readonly control: SharedArrayBuffer;
  readonly threadId: number;
  /** The worker's name, else its script's. */
  readonly name: string;
}

/**
 * From here on, threads that are started join.
 *
 * @param main The main thread's memory: while it says that there is a server.
 * @param tell Tells the agent, and hands the port over.
 * @param options `isLoaded`: whether `preload.cts` was loaded here by an option of Node's, which threads
 * inherit; else NODE_OPTIONS names it. `isTraced`: whether their scripts are to have probes.
 * @returns a function that puts everything back.
 */
function joinNewWorkers(
  main: Int32Array,
  tell: (thread: NewThread, transfer: readonly TransferListItem[]) => void,
  { isLoaded = true, isTraced = false }: { isLoaded?: boolean; isTraced?: boolean } = {},
): () => void {
  const { Worker } = workerThreads;
  const ends = noteEnds(Worker);
  const ours = new Proxy(Worker, {
    construct(target, [file, options, ...rest], newTarget) {
      const make = (options: unknown) =>
        Reflect.construct(target, [file, options, ...rest], newTarget) as Worker;
      if (load(main, memory.CONTROL.state) !== memory.READY || isOurs(options)) {
        return make(options);
      }
      const { port1, port2 } = new MessageChannel();
      const control = new SharedArrayBuffer(memory.CONTROL_SIZE);
      const env = environmentOf(options);
      const inherits = typeof options?.env !== "object" && options?.execArgv === undefined;
      const isToLoad = !isLoaded && inherits;
      setEnvironmentData(KEY, {
        port: port2,
        control,
        main: main.buffer,
        sharesEnv: options?.env === SHARE_ENV,
        isTraced,
        ...(env && { options: { given: env.given } }),
        ...(isTraced && options?.eval && typeof file === "string" && { text: file }),
        ...(isToLoad && { execArgv: process.execArgv }),
      } as never);
      const amended = {
        ...options,
        ...(env && { env: env.env }),
        transferList: [...options?.transferList ?? [], port2],
      };
      try {
        const worker = isToLoad ? loadInto(make, amended) : make(amended);
        ends.note(worker, control);
        const thread = { port: port1, control, threadId: worker.threadId };
        tell({ ...thread, name: nameOf(file, options) }, [port1]);
        return worker;
      } catch (error) {
        port1.close();
        throw error;
      } finally {
        setEnvironmentData(KEY, undefined as never);
      }
    },
  });
  ours.prototype.constructor = ours;
  workerThreads.Worker = ours;
  syncBuiltinESMExports();
  return () => {
    ends.restore();
    if (workerThreads.Worker !== ours) return;
    Worker.prototype.constructor = Worker;
    workerThreads.Worker = Worker;
    syncBuiltinESMExports();
  };
}

/** A thread of kcovfs's own, in a harness: see `harness/main.ts`. */
function isOurs(options: unknown): boolean {
  return (options as Record<symbol, unknown> | undefined)?.[IS_OURS] === true;
}

/**
 * Has the agent know of threads that are told to end, for V8 may end what the agent has them do instead:
 * see `worker_thread.ts`.
 */
function noteEnds({ prototype }: typeof Worker) {
  const controls = new WeakMap<object, Int32Array>();
  // User code may replace them.
  const get = controls.get.bind(controls);
  const { apply } = Reflect;
  const terminate = Object.getOwnPropertyDescriptor(prototype, "terminate")!;
  const value = new Proxy(prototype.terminate, {
    apply(target, worker, rest) {
      const control = get(worker);
      if (control) store(control, memory.CONTROL.terminated, 1);
      return apply(target, worker, rest);
    },
  });
  Object.defineProperty(prototype, "terminate", { ...terminate, value });
  return {
    note: (worker: Worker, control: SharedArrayBuffer) =>
      controls.set(worker, new Int32Array(control)),
    restore() {
      if (prototype.terminate === value) Object.defineProperty(prototype, "terminate", terminate);
    },
  };
}

/**
 * Node reads NODE_OPTIONS for a thread with options of its own: it is given those of the process, as far
 * as threads may have them.
 */
function loadInto(make: (options: unknown) => Worker, options: object): Worker {
  for (let execArgv = process.execArgv;;) {
    try {
      return make({ ...options, execArgv });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ERR_WORKER_INVALID_EXEC_ARGV" || execArgv.length === 0) throw error;
      const refused = new Set(message.replace(/^.*: /, "").split(", "));
      const rest = execArgv.filter((argument) => !refused.has(argument));
      execArgv = rest.length < execArgv.length ? rest : [];
    }
  }
}

/**
 * An environment of the user's own has to name the agent, or it would not be loaded.
 *
 * @returns undefined where nothing need be changed.
 */
function environmentOf(
  options: WorkerOptions | undefined,
): { env: NodeJS.ProcessEnv; given: string | undefined } | undefined {
  const env: unknown = options?.env;
  if (typeof env !== "object" || env === null) return undefined;
  const given = (env as NodeJS.ProcessEnv)["NODE_OPTIONS"];
  if (given !== undefined && String(given).includes(PRELOAD)) return undefined;
  return {
    env: { ...env, NODE_OPTIONS: optionsWith(given) },
    given: given === undefined ? undefined : String(given),
  };
}

/** NODE_OPTIONS that name the agent, too. */
function optionsWith(given: unknown): string {
  const ours = `--require=${quote(PRELOAD)}`;
  return given === undefined ? ours : `${ours} ${given}`;
}

/** As Node reads NODE_OPTIONS: in double quotes, with backslashes before quotes and backslashes. */
function quote(text: string): string {
  return /[\s"\\]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}

function nameOf(file: unknown, options: WorkerOptions | undefined): string {
  if (options?.name) return String(options.name);
  const text = String(file);
  if (options?.eval || /^data:/i.test(text)) return "worker";
  return path.basename(text).replace(/\.[cm]?[jt]s$/, "");
}

/** What this thread was given, if it was started as above; it can be asked once. */
function takeThreadData(): ThreadData | undefined {
  const data = getEnvironmentData(KEY) as ThreadData | undefined;
  setEnvironmentData(KEY, undefined as never);
  return data;
}

const parts = { joinNewWorkers, optionsWith, takeThreadData };
module.exports = parts;
export type Parts = typeof parts;
