/**
 * The agent's worker thread: connects the target's isolates to the server and carries out the server's
 * orders. As it is another isolate, it can collect from a thread that is stuck in a loop, and whatever it
 * loads makes collections no dearer.
 */
import { Deferred } from "../../base/deferred.ts";
import { connect } from "node:net";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Agent } from "./agent.ts";
import { Areas } from "./areas.ts";
import { connectToMainThread } from "./connection.ts";
import { ABSENT, CONTROL } from "../../messages/shared_words.ts";
import type { Isolate, IsolateOptions } from "../../messages/isolate.ts";
import { listScripts } from "./list_scripts.ts";
import { MainThread } from "./main_thread.ts";
import {
  type Hello,
  type NewSource,
  PROTOCOL_VERSION,
  type TracedArea,
  type Welcome,
} from "../../messages/protocol.ts";
import { parse, SHAPES } from "./server_messages.ts";
import { ThreadSessions } from "./thread_sessions.ts";
import { type Answer, WorkerThread } from "./worker_thread.ts";

interface WorkerData {
  readonly socketPath: string;
  readonly control: SharedArrayBuffer;
  readonly name: string;
  readonly parent: string | undefined;
  readonly attachment: string | undefined;
  /** Globs as the environment has them: JSON, or absent. */
  readonly include: string | undefined;
  readonly exclude: string | undefined;
  /** Why the process has no inspector; undefined if it has one. To ask for it would end the process. */
  readonly noInspector: string | undefined;
  readonly tracing?: ThreadTracing;
}

/** The parts of an isolate whose scripts have probes: see `start_probes.cts`. */
interface ThreadTracing {
  readonly port: MessagePort;
  readonly window: { readonly address: bigint; readonly size: number };
  readonly blocks: { readonly address: bigint; readonly size: number };
}

/** An isolate's message when it starts a worker thread: see `new_workers.cts`. */
interface NewThread {
  readonly port: MessagePort;
  readonly control: SharedArrayBuffer;
  readonly threadId: number;
  readonly name: string;
}

/** A worker thread's message: see `thread_isolate.cts`. */
type ThreadMessage =
  | { readonly tid: number; readonly tracing?: ThreadTracing }
  | { readonly thread: NewThread }
  | { readonly farewell: string }
  | Answer;

/** The main thread's message: see `main_isolate.cts`. */
type MainMessage =
  | "abandon"
  | "farewell"
  | "left"
  | { readonly thread: NewThread };

const isDeno = process.versions["deno"] !== undefined;
/** ms for the worker threads to take leave when the process, or the server, goes. */
const THREADS_TIMEOUT = 1000;

/** The target's process. */
class Process {
  readonly #socketPath: string;
  readonly #globs: Pick<Hello, "include" | "exclude">;
  /** The part of each hello that says that its isolate has probes. */
  readonly #probed: Pick<Hello, "collector" | "unheld"> | undefined;
  readonly #control: Int32Array;
  readonly #main: Agent;
  /** The agents of the worker threads; each promise resolves when the agent has ended. */
  readonly #threads = new Map<Agent, Promise<void>>();
  #sessions: ThreadSessions | undefined;

  constructor(data: WorkerData) {
    const { socketPath, control, name, parent, attachment, noInspector, tracing } = data;
    this.#globs = { ...globs("include", data.include), ...globs("exclude", data.exclude) };
    this.#socketPath = socketPath;
    this.#control = new Int32Array(control);
    const unheld = isDeno ? "Deno lets no other thread hold it" : noInspector;
    this.#probed = tracing && { collector: "trace", ...(unheld !== undefined && { unheld }) };
    this.#main = new Agent(this.#control, {
      socket: connect(socketPath),
      hello: hello(name, { parent, attachment, ...this.#probed, ...this.#globs }),
      start: (welcome, options) =>
        this.#start(welcome, { ...options, isTraced: Boolean(tracing), noInspector }),
      ...(tracing && { trace: tracer(this.#control, { tracing, tid: process.pid }) }),
      ...(tracing && noInspector === undefined && { list: () => listScripts(connectToMainThread) }),
      detach: () => this.#detach(),
      ended: (reason) => this.#end(reason),
    });
    if (tracing) answerFor(tracing.port, { agent: this.#main, control: this.#control });
  }

  /** Turns coverage on. */
  async #start(
    { isHeld }: Welcome,
    { isTraced, noInspector, ...options }: IsolateOptions & {
      isTraced: boolean;
      noInspector: string | undefined;
    },
  ): Promise<Isolate> {
    if (!isHeld) return FREE;
    if (noInspector !== undefined) throw new Error(noInspector);
    const main = new MainThread(this.#control, {
      ...options,
      receive(id, message) {
        if (id !== undefined || !sessions.receive(message)) options.receive(id, message);
      },
    });
    const sessions: ThreadSessions = new ThreadSessions(main);
    this.#sessions = sessions;
    sessions.enable();
    if (!isTraced) {
      main.send("Profiler.enable");
      await main.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    }
    // `start_by_inspector.cts` waits for it.
    setImmediate(() => parentPort!.postMessage({ reason: "" }));
    return main;
  }

  /** An isolate has started a worker thread. */
  join(starter: Agent, { port, control: memory, threadId, name }: NewThread): void {
    const control = new Int32Array(memory);
    let agent: Agent | undefined;
    let thread: WorkerThread | undefined;
    let trace: Trace | undefined;
    const gone = new Deferred<void>();
    gone.promise.then(() => this.#threads.delete(agent!));
    port.on("message", (message: ThreadMessage) => {
      if ("serial" in message) thread?.answer(message);
      else if ("thread" in message) this.join(agent!, message.thread);
      else if ("farewell" in message) agent?.takeFarewell(message.farewell);
      else {
        const { tid, tracing } = message;
        trace = tracing && tracer(control, { tracing, tid });
        agent = new Agent(control, {
          socket: connect(this.#socketPath),
          hello: hello(name, {
            parent: starter.id,
            tid,
            ...tracing && this.#probed,
            ...this.#globs,
          }),
          ...(trace && { trace }),
          start: ({ isHeld }, options) => {
            if (!isHeld) return Promise.resolve(FREE);
            const evaluate = (expression: string) => this.#sessions!.evaluate(threadId, expression);
            const terminate = () => void this.#sessions!.terminate(threadId);
            thread = new WorkerThread(control, { ...options, port, evaluate, terminate });
            return Promise.resolve(thread);
          },
          ended: () => gone.resolve(),
        });
        this.#threads.set(agent, gone.promise);
        if (tracing) answerFor(tracing.port, { agent, control });
      }
    });
    port.on("close", () => {
      this.#sessions?.forget(threadId);
      agent?.takeFarewell("");
      agent?.end();
      thread?.close();
      // Its mappings would stay otherwise.
      trace?.([]).catch(() => {});
    });
  }

  /** Makes a worker thread join that the main thread has started. */
  joinFromMain(thread: NewThread): void {
    this.join(this.#main, thread);
  }

  /** The process exits, which ends its worker threads wherever they are. */
  async farewell(): Promise<void> {
    await this.#threadsInTime((agent) => agent.farewell({ isHeld: false }));
    await this.#main.farewell({ isHeld: false });
  }

  /** Ends at once, and leaves the target as it was before. */
  abandon(error?: Error): void {
    this.#main.abandon(error);
  }

  /** The target goes on as it was before. */
  async #detach(): Promise<void> {
    await this.#threadsInTime((agent) => agent.detach());
    await this.#main.detach();
  }

  async #threadsInTime(action: (agent: Agent) => Promise<void>): Promise<void> {
    const timer = new Promise((resolve) => setTimeout(resolve, THREADS_TIMEOUT).unref());
    await Promise.race([Promise.all([...this.#threads.keys()].map(action)), timer]);
  }

  /**
   * The server is gone: the target goes on alone.
   *
   * Before this thread ends, the main thread must have noticed that the session has ended. Otherwise it would
   * call back into what is not there any more, and abort (`MainThreadInterface::Post` in Node's
   * `inspector/main_thread_interface.cc`; measured on Node 20 and 24, one time in five). It notices
   * before it runs any JavaScript, such as that which answers `leave`.
   */
  async #end(reason: string): Promise<void> {
    Atomics.store(this.#control, CONTROL.state, ABSENT);
    await this.#threadsInTime((agent) => {
      const gone = this.#threads.get(agent)!;
      agent.end();
      return gone;
    });
    parentPort!.postMessage({ reason: reason || "the server has closed the connection" });
    parentPort!.postMessage("leave");
  }
}

/** An isolate that is never held: its probes write straight into memory that clients read. */
const FREE: Isolate = {
  batch: () => Promise.resolve({ isWhole: true, gate: 0 }),
  release() {},
  disconnect() {},
};

/** Makes an isolate's probes write into these areas, and no others. */
type Trace = (areas: readonly TracedArea[]) => Promise<void>;

/** Makes an isolate's {@linkcode Trace}. */
function tracer(
  control: Int32Array,
  { tracing: { window, blocks }, tid }: { tracing: ThreadTracing; tid: number },
): Trace {
  const areas = new Areas({
    control,
    ...{ window: window.address, windowSize: window.size },
    ...{ blocks: blocks.address, blocksSize: blocks.size },
    tid,
  });
  return (list) => areas.set(list);
}

/** Answers a port's requests for scripts with probes: see `ask_for_probes.cts`. */
function answerFor(
  port: MessagePort,
  { agent, control }: { agent: Agent; control: Int32Array },
): void {
  port.on("message", async ({ id, script }: { id: number; script: NewSource }) => {
    const probed = await agent.probe(script);
    port.postMessage({ id, ...probed });
    Atomics.add(control, CONTROL.answers, 1);
    Atomics.notify(control, CONTROL.answers);
  });
}

/** Ignores a text that is no list of texts: the target must not fail to start because of it. */
function globs(key: "include" | "exclude", text: string | undefined): Pick<Hello, typeof key> {
  try {
    return text ? { [key]: parse(Buffer.from(text), SHAPES.globs) } : {};
  } catch {
    return {};
  }
}

function hello(name: string, rest: Partial<Hello> | object): Hello {
  return {
    protocol: PROTOCOL_VERSION,
    name,
    pid: process.pid,
    runtime: isDeno ? `deno ${process.versions["deno"]}` : `node ${process.version}`,
    ...rest,
  };
}

/**
 * Only the worker that `main_isolate.cts` starts has this data; importing the file elsewhere does nothing.
 */
function run(data: WorkerData): void {
  const target = new Process(data);
  // Without this, the thread would end and leave a session that the main thread answers to: see `Process`.
  process.on("uncaughtException", (error) => target.abandon(error));
  parentPort!.on("message", (message: MainMessage) => {
    if (message === "abandon") target.abandon();
    else if (message === "farewell") target.farewell();
    else if (message === "left") process.exit();
    else target.joinFromMain(message.thread);
  });
}

if (parentPort && workerData?.socketPath) run(workerData);
