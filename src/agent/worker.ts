/**
 * The agent's worker thread: connects the target's isolates to the server and carries out what the
 * server asks of them. Being another isolate, it can collect from a thread that is stuck in a loop, and
 * nothing that it loads makes collections dearer.
 */
import { connect } from "node:net";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Agent } from "./agent.ts";
import { ABSENT, CONTROL } from "./control.ts";
import type { Isolate, IsolateOptions } from "./isolate.ts";
import { MainThread } from "./main_thread.ts";
import { type Hello, PROTOCOL_VERSION } from "./protocol.ts";
import { ThreadSessions } from "./thread_sessions.ts";
import { type Answer, WorkerThread } from "./worker_thread.ts";

interface WorkerData {
  readonly socketPath: string;
  readonly control: SharedArrayBuffer;
  readonly name: string;
  readonly parent: string | undefined;
  readonly attachment: string | undefined;
  /** Globs as the environment has them: JSON, if anything. */
  readonly include: string | undefined;
  readonly exclude: string | undefined;
}

/** What an isolate says when it starts a worker thread: see `new_workers.cts`. */
interface NewThread {
  readonly port: MessagePort;
  readonly control: SharedArrayBuffer;
  readonly threadId: number;
  readonly name: string;
}

/** What a worker thread says: see `thread.cts`. */
type ThreadMessage =
  | { readonly tid: number }
  | { readonly thread: NewThread }
  | { readonly farewell: string }
  | Answer;

/** ms that the worker threads' last coverage is waited for when the process exits. */
const THREADS_TIMEOUT = 1000;

/** The target's process. */
class Process {
  readonly #socketPath: string;
  readonly #globs: Pick<Hello, "include" | "exclude">;
  readonly #control: Int32Array;
  readonly #main: Agent;
  /** The agents of the worker threads. */
  readonly #threads = new Set<Agent>();
  #sessions: ThreadSessions | undefined;

  constructor(data: WorkerData) {
    const { socketPath, control, name, parent, attachment } = data;
    this.#globs = { ...globs("include", data.include), ...globs("exclude", data.exclude) };
    this.#socketPath = socketPath;
    this.#control = new Int32Array(control);
    this.#main = new Agent(this.#control, {
      socket: connect(socketPath),
      hello: hello(name, { parent, attachment, ...this.#globs }),
      start: (_, options) => this.#start(options),
      detach: () => this.#detach(),
      ended: (reason) => this.#end(reason),
    });
  }

  /** Turns coverage on. */
  async #start(options: IsolateOptions): Promise<Isolate> {
    const main = new MainThread(this.#control, {
      ...options,
      receive(id, message) {
        if (id !== undefined || !sessions.receive(message)) options.receive(id, message);
      },
    });
    const sessions: ThreadSessions = new ThreadSessions(main);
    this.#sessions = sessions;
    sessions.enable();
    main.send("Profiler.enable");
    await main.send("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    // `attach.cts` waits for it.
    setImmediate(() => parentPort!.postMessage({ reason: "" }));
    return main;
  }

  /** An isolate has started a worker thread. */
  join(starter: Agent, { port, control: memory, threadId, name }: NewThread): void {
    const control = new Int32Array(memory);
    let agent: Agent | undefined;
    let thread: WorkerThread | undefined;
    port.on("message", (message: ThreadMessage) => {
      if ("serial" in message) thread?.answer(message);
      else if ("thread" in message) this.join(agent!, message.thread);
      else if ("farewell" in message) agent?.takeFarewell(message.farewell);
      else {
        agent = new Agent(control, {
          socket: connect(this.#socketPath),
          hello: hello(name, { parent: starter.id, tid: message.tid, ...this.#globs }),
          start: (_, options) => {
            const evaluate = (expression: string) => this.#sessions!.evaluate(threadId, expression);
            thread = new WorkerThread(control, { ...options, port, evaluate });
            return Promise.resolve(thread);
          },
          ended: () => this.#threads.delete(agent!),
        });
        this.#threads.add(agent);
      }
    });
    port.on("close", () => {
      this.#sessions?.forget(threadId);
      agent?.takeFarewell("");
      agent?.end();
      thread?.close();
    });
  }

  /** Has a worker thread of the main thread's join. */
  joinFromMain(thread: NewThread): void {
    this.join(this.#main, thread);
  }

  /** The process exits, which ends its worker threads wherever they are. */
  async farewell(): Promise<void> {
    const threads = [...this.#threads];
    const timer = new Promise((resolve) => setTimeout(resolve, THREADS_TIMEOUT).unref());
    await Promise.race([
      Promise.all(threads.map((agent) => agent.farewell({ isHeld: false }))),
      timer,
    ]);
    await this.#main.farewell({ isHeld: false });
  }

  /** The target goes on as it was before. */
  async #detach(): Promise<void> {
    await Promise.race([
      Promise.all([...this.#threads].map((agent) => agent.detach())),
      new Promise((resolve) => setTimeout(resolve, THREADS_TIMEOUT).unref()),
    ]);
    await this.#main.detach();
  }

  /**
   * The server is gone: the target goes on alone.
   *
   * Before this thread ends, the main thread must have noticed that the session has: it would call back
   * into what is not there any more, and abort (`MainThreadInterface::Post` in Node's
   * `inspector/main_thread_interface.cc`; measured on Node 20 and 24, one time in five). It notices
   * before it runs any JavaScript, such as that which answers `leave`.
   */
  #end(reason: string): void {
    Atomics.store(this.#control, CONTROL.state, ABSENT);
    for (const agent of this.#threads) agent.end();
    parentPort!.postMessage({ reason: reason || "the server has closed the connection" });
    parentPort!.postMessage("leave");
  }
}

/** What is no JSON is left out: the target must not fail to start for it. */
function globs(key: "include" | "exclude", text: string | undefined): Pick<Hello, typeof key> {
  try {
    return text ? { [key]: JSON.parse(text) } : {};
  } catch {
    return {};
  }
}

function hello(name: string, rest: Partial<Hello> | object): Hello {
  return {
    protocol: PROTOCOL_VERSION,
    name,
    pid: process.pid,
    runtime: `node ${process.version}`,
    ...rest,
  };
}

/** Only the worker that `preload.cts` starts has this data; importing the file elsewhere does nothing. */
function run(data: WorkerData): void {
  const target = new Process(data);
  parentPort!.on("message", (message: "farewell" | "left" | { readonly thread: NewThread }) => {
    if (message === "farewell") target.farewell();
    else if (message === "left") process.exit();
    else target.joinFromMain(message.thread);
  });
}

if (parentPort && workerData?.socketPath) run(workerData);
