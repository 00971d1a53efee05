/**
 * Makes the worker threads that user code starts join the target. Each gets a port to the agent's worker,
 * which `thread_isolate.cts` finds, and the agent is told of the thread.
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
const PRELOAD = path.join(__dirname, "preload.cjs");

/** The agent's data for a worker thread. */
interface ThreadData {
  readonly port: MessagePort;
  /** Memory shared with the agent, of this thread and of the main thread. */
  readonly control: SharedArrayBuffer;
  readonly main: SharedArrayBuffer;
  /** Whether the thread shares its environment with the thread that started it. */
  readonly sharesEnv: boolean;
  /** The user's NODE_OPTIONS for it, which are to be put back. */
  readonly options?: { readonly given: string | undefined };
  /** The user's `process.execArgv` for it, which is to be put back. */
  readonly execArgv?: readonly string[];
  /** Whether its scripts are to have probes. */
  readonly isTraced: boolean;
  /** The text that it runs, if it runs no file. */
  readonly text?: string;
}

/** The message to the agent. */
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
 * @param main The main thread's memory: threads join only while it says that there is a server.
 * @param tell Tells the agent, and hands the port over.
 * @param options `isLoaded`: whether an option of Node's loaded `preload.cts` here, which threads inherit;
 * else NODE_OPTIONS names it. `isTraced`: whether the scripts of threads are to have probes.
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
      if (load(main, memory.CONTROL.state) !== memory.READY) return make(options);
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

/**
 * Tells the agent of threads that are ordered to end: instead of user code, V8 may end the agent's own code
 * in that thread; see `worker_thread.ts`.
 */
function noteEnds({ prototype }: typeof Worker) {
  const controls = new WeakMap<object, Int32Array>();
  // User code may replace these.
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
 * Node reads NODE_OPTIONS for a thread that has options of its own. So the thread is given those of the
 * process, as far as threads may have them.
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
 * A user's own environment must name the agent, or the agent would not be loaded.
 *
 * @returns undefined if nothing needs to change.
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

/** NODE_OPTIONS that also name the agent. */
function optionsWith(given: unknown): string {
  const ours = `--require=${quote(PRELOAD)}`;
  return given === undefined ? ours : `${ours} ${given}`;
}

/** Quotes as Node reads NODE_OPTIONS: in double quotes, with backslashes before quotes and backslashes. */
function quote(text: string): string {
  return /[\s"\\]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}

function nameOf(file: unknown, options: WorkerOptions | undefined): string {
  if (options?.name) return String(options.name);
  const text = String(file);
  if (options?.eval || /^data:/i.test(text)) return "worker";
  return path.basename(text).replace(/\.[cm]?[jt]s$/, "");
}

/** The data of this thread, if it was started as above; the second call finds none. */
function takeThreadData(): ThreadData | undefined {
  const data = getEnvironmentData(KEY) as ThreadData | undefined;
  setEnvironmentData(KEY, undefined as never);
  return data;
}

const parts = { joinNewWorkers, optionsWith, takeThreadData };
module.exports = parts;
export type Parts = typeof parts;
