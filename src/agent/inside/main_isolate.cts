/**
 * The agent's part in the target's main isolate. Each collection costs more with everything that is loaded
 * into that isolate, so this does only what it must: it turns off what loses counts, starts the worker that
 * collects, and lends the worker its `gate` and the sources of scripts.
 */
import type { TransferListItem } from "node:worker_threads";

const { Worker } = require("node:worker_threads") as typeof import("node:worker_threads");
const fs = require("node:fs") as typeof import("node:fs");
const path = require("node:path") as typeof import("node:path");
const { constants } = require("node:os") as typeof import("node:os");

const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { joinNewProcesses } = require("./new_processes.cjs") as import("./new_processes.cts").Parts;
const { countEverything } = require(
  "./count_everything.cjs",
) as import("./count_everything.cts").Parts;
const { joinNewWorkers } = require("./new_workers.cjs") as import("./new_workers.cts").Parts;
const { onExit } = require("./on_exit.cjs") as import("./on_exit.cts").Parts;
const { serveLiveEdits } = require("./live_edits.cjs") as import("./live_edits.cts").Parts;
const { makeInterrupted } = require("./interrupted.cjs") as import("./interrupted.cts").Parts;
const { inlineProbes } = require("./inline_probes.cjs") as import("./inline_probes.cts").Parts;
const { keptControl, startTracing } = require(
  "./start_probes.cjs",
) as import("./start_probes.cts").Parts;
const { whyNoInspector, withoutDeprecation } = require(
  "./own_inspector.cjs",
) as import("./own_inspector.cts").Parts;
const { whyNoRoom } = require("./process_limits.cjs") as import("./process_limits.cts").Parts;
const { watchThread } = require("./watch_thread.cjs") as import("./watch_thread.cts").Parts;
const { nativesWord, scriptSources } = require(
  "./script_source.cjs",
) as import("./script_source.cts").Parts;

// User code may replace these: the agent goes on with the originals.
const { compareExchange, load, notify, store, wait } = Atomics;
const { readSync } = fs;
const { CONTROL, FAREWELL_TIMEOUT, GATE_CLOSED, GATE_OPEN, GATE_WAITING, waitFor } = memory;

const FAREWELL = CONTROL.farewell;
const PIPE = CONTROL.pipe;
const GATES = CONTROL.gates;
/** The folder of all files that are loaded here. */
const OURS = path.join(__dirname, "../..", path.sep);
/** The global property by which the worker finds the functions that it calls. */
const AGENT = Symbol.for(memory.AGENT_SYMBOL);

type Tracing = ReturnType<typeof startTracing>;

/** The data of the agent's worker. */
interface WorkerOptions {
  readonly socketPath: string;
  readonly name: string;
  readonly parent?: string | undefined;
  /** Globs, each a JSON array of strings. */
  readonly include?: string | undefined;
  readonly exclude?: string | undefined;
  /** `trace` for probes in the scripts, else V8's counters. */
  readonly collector?: string | undefined;
  /** The id by which the server knows that it has ordered this attachment. */
  readonly attachment?: string;
  /** ms for which giving a loaded script probes may stop the program. */
  readonly attachPause?: number;
  /** See `new_workers.cts`. */
  readonly isLoaded?: boolean;
}

/** The agent's part in the main isolate. */
class MainAgent {
  readonly control: Int32Array;
  readonly worker: import("node:worker_threads").Worker;
  /** Whether the worker's thread has ended. */
  readonly hasEnded: () => boolean;
  readonly #options: WorkerOptions;
  /** Each puts back something that was changed. */
  readonly #undo: (() => void)[] = [];
  readonly #tracing: Tracing | undefined;

  /**
   * @throws {Error} that says why this process cannot be measured, before anything is changed. Failures that
   * nobody could catch later are looked for first.
   */
  constructor(options: WorkerOptions) {
    this.#options = options;
    const isTraced = options.collector === "trace";
    const control = this.control = isTraced && keptControl() ||
      new Int32Array(new SharedArrayBuffer(memory.CONTROL_SIZE));
    const noRoom = whyNoRoom({ isTraced });
    if (noRoom) throw noRoom;
    // An agent that the inspector has brought has one. A Deno ends if it is asked within its answer.
    const noInspector = options.attachment === undefined ? whyNoInspector() : undefined;
    if (noInspector && !isTraced) throw noInspector;
    store(control, CONTROL.natives, nativesWord());
    const natives = control.subarray(CONTROL.natives, CONTROL.natives + 1);
    const pass = (index: number) => gate(control, GATES + 2 * index);
    // The functions that the worker and the server call through the inspector.
    const value = Object.freeze({
      gate: pass,
      // Where probes write, a collection splits nothing.
      enter: isTraced ? pass : makeEnter(control),
      sources: (ids: readonly number[]) => scriptSources(ids, natives),
      restore: () => this.restore(),
    });
    this.#tracing = isTraced ? startTracing(control, control) : undefined;
    const noInspectorReason = noInspector?.message;
    const { started, hasEnded } = watchThread(() =>
      startWorker(control, { ...options, noInspector: noInspectorReason, tracing: this.#tracing })
    );
    this.worker = started;
    started.on("message", ({ restoring }: { restoring?: number }) => {
      if (restoring === undefined) return;
      this.restore();
      started.postMessage({ lived: restoring, answer: undefined });
    });
    this.hasEnded = hasEnded;
    try {
      Object.defineProperty(globalThis, AGENT, { value, configurable: true });
      if (!isTraced) this.#undo.push(countEverything(natives));
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /**
   * From here on user code is measured, and so are the processes and threads that it starts; its end is
   * noticed. If this throws, call {@linkcode leave}.
   */
  join(): void {
    const { worker, control } = this;
    if (this.#tracing) {
      this.#undo.push(this.#tracing.begin());
      drainTicks();
      this.#undo.push(inlineProbes());
    }
    const tell = (thread: object, transfer: readonly TransferListItem[]) =>
      worker.postMessage({ thread }, transfer);
    const { attachment, isLoaded = false, socketPath, include, exclude } = this.#options;
    const isTraced = this.#tracing !== undefined;
    this.#undo.push(joinNewWorkers(control, tell, { isLoaded, isTraced }));
    this.#undo.push(bidFarewell(worker, control));
    if (attachment === undefined) return;
    const parent = memory.textIn(control);
    this.#undo.push(joinNewProcesses({ socketPath, parent, include, exclude }));
    if (!this.#tracing) return;
    this.#undo.push(serveLiveEdits(worker, this.#tracing.live));
    worker.postMessage("loaded");
  }

  /** Leaves everything as it was before, and tells the worker to end. */
  leave(): void {
    this.restore();
    compareExchange(this.control, CONTROL.state, 0, memory.ABSENT);
    this.worker.postMessage("abandon");
  }

  /** Leaves everything as it was before. */
  restore(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    delete (globalThis as Record<symbol, unknown>)[AGENT];
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(OURS)) delete require.cache[file];
    }
  }
}

/**
 * Makes Node call promises' reactions from C++, as it does without the agent. Otherwise it would call them
 * from a function that the program's stack traces would show. Other preloaded modules may have ticks of
 * their own.
 */
function drainTicks(): void {
  const isFirst = Object.keys(require.cache).every((file) =>
    file.startsWith(OURS) || file.includes("/koffi/") || file.includes("/@koromix/")
  );
  if (!isFirst) return;
  // With `--pending-deprecation` it would warn, and the program would see that.
  withoutDeprecation(() => (process as { _tickCallback?: () => void })._tickCallback?.());
}

function startWorker(
  control: Int32Array,
  { tracing, ...options }: WorkerOptions & {
    /** Why this process has no inspector; undefined if it has one. */
    noInspector: string | undefined;
    tracing: Tracing | undefined;
  },
): import("node:worker_threads").Worker {
  const worker = new Worker(path.join(__dirname, "../worker/worker.js"), {
    workerData: {
      ...options,
      control: control.buffer,
      ...(tracing && {
        tracing: { port: tracing.port, window: tracing.window, blocks: tracing.blocks },
      }),
    },
    transferList: tracing ? [tracing.port] : [],
    env: {},
    // Otherwise it would repeat the program's own warnings.
    execArgv: ["--no-warnings"],
    argv: [],
    name: "kcovfs",
  });
  worker.on("message", (message) => {
    if (message === "leave") worker.postMessage("left");
  });
  worker.unref();
  // Without a listener an error in the worker would be an uncaught exception of the target.
  worker.on("error", () => {});
  return worker;
}

/** Whether this isolate has an agent. */
function isPresent(): boolean {
  return AGENT in globalThis;
}

/** The name of the program: that of its script, else that of the runtime. */
function defaultName(): string {
  return path.basename(process.argv[1] ?? process.argv0).replace(/\.[cm]?[jt]s$/, "");
}

/** A serial number, as it comes through the pipe. */
const token = new Int32Array(1);

/**
 * Where the main thread waits while it is held. The worker calls it through the inspector, so at any place in
 * any user code, or in none.
 *
 * It reads from a pipe. It must not call `Atomics.wait`: user code may be in `Atomics.wait` already. V8
 * interrupts that for the inspector, but has a single place in memory for it: the second wait corrupts the
 * heap (`FutexEmulation::WaitSync` in `execution/futex-emulation.cc`; measured on Node 20).
 *
 * @param index Index of the gate's state; its serial number follows.
 * @returns whether it was let through.
 */
function gate(control: Int32Array, index: number): boolean {
  if (compareExchange(control, index, GATE_CLOSED, GATE_WAITING) === GATE_OPEN) return true;
  notify(control, index);
  try {
    // The pipe still has the numbers that were sent for past gates.
    do readSync(control[PIPE], token); while (token[0] !== control[index + 1]);
    store(control, index, GATE_OPEN);
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes the gate before a collection, which also returns the place that the collection interrupts; or true,
 * if there is no place to return.
 */
function makeEnter(control: Int32Array): (index: number) => string | boolean {
  const interrupted = makeInterrupted();
  const enter = (index: number) => {
    const place = interrupted(enter);
    return gate(control, GATES + 2 * index) && (place || true);
  };
  return enter;
}

/**
 * When the process exits, the worker takes leave. While somebody traces, it hands over what was executed
 * since the last collection, the `exit` listeners too. It also closes the inspector's session, as Node waits
 * for open sessions, with a message on stderr.
 *
 * @returns a function that puts everything back.
 */
function bidFarewell(
  worker: import("node:worker_threads").Worker,
  control: Int32Array,
): () => void {
  let isDone = false;
  const finish = () => {
    if (isDone) return;
    isDone = true;
    worker.postMessage("farewell");
    const isTaken = () => load(control, FAREWELL) !== 0;
    waitFor(isTaken, { control, index: FAREWELL, timeout: FAREWELL_TIMEOUT });
    // The session's end was asked for before; V8 handles it where a loop begins its next turn.
    for (let turn = 0; turn < 2; turn++) wait(control, GATES, load(control, GATES), 1);
  };
  const restoreExit = onExit(finish);
  const { kill } = process;
  // Node waits for sessions before it sends itself any signal that nobody listens for.
  const finishAndKill: typeof kill = (pid, signal = "SIGTERM") => {
    const send = () => Reflect.apply(kill, process, [pid, signal]);
    const name = typeof signal === "number" ? SIGNALS.get(signal) : signal;
    if (pid !== process.pid || name === undefined || process.listenerCount(name) > 0) return send();
    if (IGNORED.has(name)) return whileListening(name, send);
    if (name in constants.signals && !STOPPING.has(name)) finish();
    return send();
  };
  process.kill = finishAndKill;
  return () => {
    restoreExit();
    if (process.kill === finishAndKill) process.kill = kill;
  };
}

/** Signals that a process ignores if it does not listen for them, and signals that stop it. */
const IGNORED = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"]);
const STOPPING = new Set(["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);
const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function whileListening<T>(signal: string, action: () => T): T {
  const listener = () => {};
  process.on(signal, listener);
  try {
    return action();
  } finally {
    process.off(signal, listener);
  }
}

const parts = { defaultName, isPresent, MainAgent };
module.exports = parts;
export type Parts = typeof parts;
