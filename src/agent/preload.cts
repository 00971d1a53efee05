/**
 * The part of the agent that runs in the target's main isolate, before any user code: it is loaded
 * with `--require`. Everything loaded into that isolate is paid for at each collection, so this is all
 * there is: it turns off what loses counts, starts the worker that collects, waits until coverage is
 * on, and lends the worker its `gate` and the sources of scripts.
 *
 * The constants are those of `control.ts` and `protocol.ts`.
 */
const { Worker, isMainThread } = require(
  "node:worker_threads",
) as typeof import("node:worker_threads");
const v8 = require("node:v8") as typeof import("node:v8");
const vm = require("node:vm") as typeof import("node:vm");
const fs = require("node:fs") as typeof import("node:fs");
const { syncBuiltinESMExports } = require("node:module") as typeof import("node:module");
const path = require("node:path") as typeof import("node:path");
const { constants } = require("node:os") as typeof import("node:os");

const { scriptSources } = require("./script_source.cjs") as {
  scriptSources: (ids: readonly number[]) => Record<number, string>;
};

// User code may replace these: the agent goes on with the originals.
const { compareExchange, load, notify, store, wait } = Atomics;
const { now } = Date;
const { readSync } = fs;

const STATE = 0;
const FAREWELL = 1;
const PIPE = 2;
const GATES = 16;
const CONTROL_SIZE = (GATES + 2 * 8) * 4;
const READY = 1;
const ABSENT = 2;
const GATE_CLOSED = 0;
const GATE_WAITING = 1;
const GATE_OPEN = 2;
const OUR_COMMAND = path.join(__dirname, "../../../bin/kcovfs");
/** ms that the server is given to answer before the target starts without it. */
const START_TIMEOUT = 30_000;
/** ms that the server is given to take the last coverage. */
const FAREWELL_TIMEOUT = 30_000;

const socket = process.env["KCOVFS_SOCKET"];
if (socket && isMainThread && !isOurs()) start(socket);

/** `kcovfs ps` in the environment of a fuzzer is no target. */
function isOurs(): boolean {
  try {
    return fs.realpathSync(process.argv[1] ?? "") === OUR_COMMAND;
  } catch {
    return false;
  }
}

function start(socketPath: string): void {
  countEverything();
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_SIZE));
  const worker = startWorker(socketPath, control);
  // Waiting in short turns lets the inspector's messages interrupt the loop.
  const deadline = now() + START_TIMEOUT;
  while (load(control, STATE) === 0 && now() < deadline) wait(control, STATE, 0, 1);
  // From here on the worker stays out of the way.
  if (compareExchange(control, STATE, 0, ABSENT) === READY) bidFarewell(worker, control);
  else fs.writeSync(2, `kcovfs: no server answers at ${socketPath}: running without coverage\n`);
}

/**
 * Optimised code does not count invocations, and functions out of a code cache have no counters; see
 * V8's `debug/debug-coverage.cc`. Measured on Node 20: with the optimisers on, 5 of 150 inputs execute
 * the same blocks each time.
 */
function countEverything(): void {
  v8.setFlagsFromString("--no-opt");
  v8.setFlagsFromString("--no-maglev");
  vm.Script = new Proxy(vm.Script, {
    construct(target, [code, options, ...rest], newTarget) {
      const cached = typeof options === "object" && options?.cachedData !== undefined;
      if (!cached) return Reflect.construct(target, [code, options, ...rest], newTarget);
      const script = Reflect.construct(target, [
        code,
        { ...options, cachedData: undefined },
        ...rest,
      ], newTarget);
      script.cachedDataRejected = true;
      return script;
    },
  });
  syncBuiltinESMExports();
}

function startWorker(
  socketPath: string,
  control: Int32Array,
): import("node:worker_threads").Worker {
  // What the worker and the server call through the inspector.
  const agent = {
    gate: (index: number) => gate(control, GATES + 2 * index),
    sources: scriptSources,
  };
  Object.defineProperty(globalThis, Symbol.for("kcovfs.agent"), { value: Object.freeze(agent) });
  const worker = new Worker(path.join(__dirname, "worker.js"), {
    workerData: {
      socketPath,
      control: control.buffer,
      name: process.env["KCOVFS_NAME"] || defaultName(),
      include: process.env["KCOVFS_INCLUDE"],
      exclude: process.env["KCOVFS_EXCLUDE"],
    },
    env: {},
    execArgv: [],
    argv: [],
    name: "kcovfs",
  });
  worker.unref();
  // Without a listener an error in the worker would be an uncaught exception of the target.
  worker.on("error", () => {});
  return worker;
}

/** What the process runs: the script's name, else the runtime's. */
function defaultName(): string {
  return path.basename(process.argv[1] ?? process.argv0).replace(/\.[cm]?[jt]s$/, "");
}

/** A serial number, as it comes through the pipe. */
const token = new Int32Array(1);

/**
 * Where the main thread waits while it is held: called by the worker through the inspector, so at any
 * place in any user code, or none.
 *
 * It reads from a pipe. It must not call `Atomics.wait`, for it may be called while user code is in
 * `Atomics.wait`, which V8 interrupts for the inspector, and has a single place in memory for: the
 * second wait corrupts the heap (`FutexEmulation::WaitSync` in `execution/futex-emulation.cc`; measured
 * on Node 20).
 *
 * @param index Of the gate's state; its serial number follows.
 * @returns whether it was let through.
 */
function gate(control: Int32Array, index: number): boolean {
  if (compareExchange(control, index, GATE_CLOSED, GATE_WAITING) === GATE_OPEN) return true;
  notify(control, index);
  try {
    // Numbers that were sent for gates of the past are still in the pipe.
    do readSync(control[PIPE], token); while (token[0] !== control[index + 1]);
    store(control, index, GATE_OPEN);
    return true;
  } catch {
    return false;
  }
}

/**
 * When the process exits, the worker takes leave: what was executed since the last collection is handed
 * over while somebody traces (that of the `exit` listeners too), and the inspector's session is closed,
 * for Node waits for sessions with a message on stderr.
 */
function bidFarewell(worker: import("node:worker_threads").Worker, control: Int32Array): void {
  let isDone = false;
  const finish = () => {
    if (isDone) return;
    isDone = true;
    worker.postMessage("farewell");
    const deadline = now() + FAREWELL_TIMEOUT;
    while (load(control, FAREWELL) === 0 && now() < deadline) wait(control, FAREWELL, 0, 1);
    // The session's end was asked for before; where a loop begins anew, V8 attends to it.
    for (let turn = 0; turn < 2; turn++) wait(control, GATES, load(control, GATES), 1);
  };
  const { emit } = process;
  process.emit = function (this: NodeJS.Process, name: string | symbol, ...rest: unknown[]) {
    try {
      return Reflect.apply(emit, this, [name, ...rest]);
    } finally {
      if (name === "exit") finish();
    }
  } as typeof process.emit;
  const { kill } = process;
  // Node waits for sessions before it sends itself any signal that nobody listens for.
  process.kill = (pid, signal = "SIGTERM") => {
    const send = () => Reflect.apply(kill, process, [pid, signal]);
    const name = typeof signal === "number" ? SIGNALS.get(signal) : signal;
    if (pid !== process.pid || name === undefined || process.listenerCount(name) > 0) return send();
    if (IGNORED.has(name)) return whileListening(name, send);
    if (name in constants.signals && !STOPPING.has(name)) finish();
    return send();
  };
  const internals = process as unknown as { reallyExit(code: number): never };
  const { reallyExit } = internals;
  internals.reallyExit = (code) => {
    finish();
    return Reflect.apply(reallyExit, process, [code]);
  };
}

/** Signals that do nothing to a process that does not listen for them, and those that stop it. */
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
