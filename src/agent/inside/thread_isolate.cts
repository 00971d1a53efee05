/**
 * The agent's part in a worker thread of the target, loaded by `preload.cts` before any user code.
 *
 * The inspector of a worker thread can be reached through the main thread only (`NodeWorker`, in Node's
 * `inspector/worker_agent.cc`), and the answers come back that way. So it is used only to interrupt the
 * thread. The thread's `attend` then carries out the orders of the agent's worker. They come through a port;
 * it carries them out on an inspector session of the thread's own, and stands still at its pipe if the thread
 * is to be held. So a collection's result goes straight to the agent's worker, and sources can be read from a
 * held thread while the main thread is held, too.
 */
import type { MessagePort } from "node:worker_threads";

const workerThreads = require("node:worker_threads") as typeof import("node:worker_threads");
const fs = require("node:fs") as typeof import("node:fs");
const memory = require("../../messages/memory.cjs") as import("../../messages/memory.cts").Memory;
const { countEverything } = require(
  "./count_everything.cjs",
) as import("./count_everything.cts").Parts;
const { joinNewWorkers, takeThreadData } = require(
  "./new_workers.cjs",
) as import("./new_workers.cts").Parts;
const { connect } = require("./own_inspector.cjs") as import("./own_inspector.cts").Parts;
const { makeInterrupted } = require("./interrupted.cjs") as import("./interrupted.cts").Parts;
const { onExit } = require("./on_exit.cjs") as import("./on_exit.cts").Parts;
const { startTracing } = require("./start_probes.cjs") as import("./start_probes.cts").Parts;
const { scriptSources } = require("./script_source.cjs") as import("./script_source.cts").Parts;

type ThreadData = NonNullable<ReturnType<typeof takeThreadData>>;
type Tell = Parameters<typeof joinNewWorkers>[1];
/** Carries out a CDP message; returns the replies. */
type Dispatch = ReturnType<typeof connect>["dispatch"];

/** An order of the agent's worker: see `worker_thread.ts`. */
interface Order {
  readonly serial: number;
  readonly messages: readonly string[];
  readonly hold: boolean;
}

// User code may replace these: the agent goes on with the originals.
const { compareExchange, load } = Atomics;
const { readSync } = fs;
const { receiveMessageOnPort } = workerThreads;
const { ABSENT, CONTROL, FAREWELL_TIMEOUT, READY, START_TIMEOUT, waitFor } = memory;
/** The global property by which the agent's worker finds the functions that it calls. */
const AGENT = Symbol.for(memory.AGENT_SYMBOL);
const TAKE = JSON.stringify({ id: 0, method: "Profiler.takePreciseCoverage" });

/**
 * Joins the target that this thread belongs to. If its parent has no agent, this does nothing.
 *
 * @throws {Error} that says why it cannot join; everything is then as it was before.
 */
function join(): void {
  const data = takeThreadData();
  if (!data) return;
  if (data.options) restoreOptions(data.options.given);
  if (data.execArgv) process.execArgv = [...data.execArgv];
  const undo: (() => void)[] = [];
  const leave = () => {
    for (const step of undo.splice(0).reverse()) step();
    data.port.close();
  };
  try {
    if (!joinAs(data, undo)) leave();
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * @param undo Collects functions that put everything back.
 * @returns whether the server has accepted it.
 */
function joinAs(data: ThreadData, undo: (() => void)[]): boolean {
  const control = new Int32Array(data.control);
  const main = new Int32Array(data.main);
  const natives = main.subarray(CONTROL.natives, CONTROL.natives + 1);
  const { isTraced } = data;
  const tracing = isTraced ? startTracing(control, main) : undefined;
  const post: Post = data.port.postMessage.bind(data.port);
  const dispatch = connectOnce(undo);
  if (!isTraced) startCounting(natives, { dispatch, undo });
  const interrupted = isTraced ? () => "" : makeInterrupted();
  const attend = makeAttend(control, { port: data.port, post, dispatch, interrupted });
  const sources = (ids: readonly number[]) => scriptSources(ids, natives);
  const agent = Object.freeze({ attend, sources });
  Object.defineProperty(globalThis, AGENT, { value: agent, configurable: true });
  undo.push(() => void delete (globalThis as Record<symbol, unknown>)[AGENT]);
  const { window, blocks, port } = tracing ?? {};
  const forAgent = port && { tracing: { window, blocks, port } };
  post({ tid: ownThread(), ...forAgent }, port ? [port] : []);
  const isSettled = () => load(control, CONTROL.state) !== 0 || load(main, CONTROL.state) !== READY;
  waitFor(isSettled, { control, index: CONTROL.state, timeout: START_TIMEOUT });
  const state = compareExchange(control, CONTROL.state, 0, ABSENT);
  const reason = state === ABSENT ? memory.textIn(control) : "";
  if (reason) throw new Error(reason);
  if (state !== READY) return false;
  if (process.env["KCOVFS_SOCKET"] && !data.sharesEnv) {
    process.env["KCOVFS_PARENT"] = memory.textIn(control);
  }
  if (tracing) undo.push(tracing.begin(data.text));
  const tell: Tell = (thread, transfer) => post({ thread }, transfer);
  undo.push(joinNewWorkers(main, tell, { isTraced }));
  bidFarewell(control, { post, dispatch: isTraced ? undefined : dispatch, attend });
  return true;
}

/** A session of this thread with itself, opened when it is first needed: with probes, mostly none is. */
function connectOnce(undo: (() => void)[]): Dispatch {
  let session: { dispatch: Dispatch; disconnect: () => void } | undefined;
  undo.push(() => session?.disconnect());
  return (message) => {
    session ??= connect();
    return session.dispatch(message);
  };
}

type Post = (message: unknown, transfer?: Parameters<Tell>[1]) => void;

function startCounting(
  natives: Int32Array,
  { dispatch, undo }: { dispatch: Dispatch; undo: (() => void)[] },
): void {
  undo.push(countEverything(natives));
  dispatch(JSON.stringify({ id: 0, method: "Profiler.enable" }));
  const params = { callCount: true, detailed: true };
  dispatch(JSON.stringify({ id: 0, method: "Profiler.startPreciseCoverage", params }));
}

function restoreOptions(given: string | undefined): void {
  if (given === undefined) delete process.env["NODE_OPTIONS"];
  else process.env["NODE_OPTIONS"] = given;
}

/** The kernel's number of the thread, by which one sees whether it runs; 0 if the number cannot be seen. */
function ownThread(): number {
  try {
    return Number(/\d+$/.exec(fs.readlinkSync("/proc/thread-self"))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/** A serial number, as it comes through the pipe. */
const token = new Int32Array(1);

/**
 * Makes the function that carries out the orders of the agent's worker, and holds the thread while an order
 * says so: until the order's serial number comes through the pipe. Any other number is a call to look for
 * orders again. The function may be called at any place in any user code. It reads from a pipe for the reason
 * that `gate` in `main_isolate.cts` gives.
 */
function makeAttend(
  control: Int32Array,
  { port, post, dispatch, interrupted }: {
    port: MessagePort;
    post: (message: unknown) => void;
    dispatch: Dispatch;
    interrupted: (from: object) => string;
  },
): () => void {
  let isAttending = false;
  let isCalled = false;
  /** The place that the call interrupted; undefined until an order asks for it. */
  let place: string | undefined;
  const attendOnce = () => {
    let gate = 0;
    for (;;) {
      const order = receiveMessageOnPort(port)?.message as Order | undefined;
      if (order === undefined) {
        if (gate === 0) return;
        // Nobody is left who could write to the pipe.
        if (readSync(load(control, CONTROL.pipe), token) === 0) return;
        if (token[0] === gate) gate = 0;
      } else if (order.serial === load(control, CONTROL.order)) {
        place ??= interrupted(attend);
        const replies: string[][] = [];
        for (let i = 0; i < order.messages.length; i++) replies[i] = dispatch(order.messages[i]);
        gate = order.hold ? order.serial : 0;
        post({ serial: order.serial, replies, place });
      }
    }
  };
  const attend = () => {
    isCalled = true;
    // The call interrupted `attend` itself: the outer one handles the orders that have come meanwhile.
    if (isAttending) return;
    isAttending = true;
    place = undefined;
    try {
      while (isCalled) {
        isCalled = false;
        attendOnce();
      }
    } finally {
      isAttending = false;
    }
  };
  return attend;
}

/**
 * When the thread ends by itself, it hands over what was executed since the last collection. Where probes
 * write, that is already in the areas.
 */
function bidFarewell(
  control: Int32Array,
  { post, dispatch, attend }: {
    post: (message: unknown) => void;
    dispatch: Dispatch | undefined;
    attend: () => void;
  },
): void {
  let isDone = false;
  onExit(() => {
    if (isDone) return;
    isDone = true;
    post({ farewell: dispatch ? dispatch(TAKE)[0] : "" });
    if (!dispatch) return;
    const isTaken = () => {
      // The main thread may be held, and then nothing else can interrupt this one.
      attend();
      return load(control, CONTROL.farewell) !== 0;
    };
    waitFor(isTaken, { control, index: CONTROL.farewell, timeout: FAREWELL_TIMEOUT });
  });
}

const parts = { join };
module.exports = parts;
export type Parts = typeof parts;
