import { parentPort, Worker, workerData } from "node:worker_threads";
import { LateError } from "./in_time.ts";
import { exitNow } from "./system_calls.ts";

/** What a {@linkcode JobThread} runs. */
export interface JobThreadOptions {
  /** Of the module that the thread runs: it answers each {@linkcode Job} with a {@linkcode Done}. */
  readonly module: URL;
  /** Tells the module that it was started as such: its `workerData`. */
  readonly name: string;
  /** What it does, as in `build a block table`, for errors. */
  readonly job: string;
  /** MB of stack. */
  readonly stackSize: number;
}

/** A request as the thread gets it. */
export interface Job<Request> {
  readonly id: number;
  readonly request: Request;
}

/** A reply as the thread sends it. */
export interface Done<Reply> {
  readonly id: number;
  readonly reply: Reply;
}

interface Pending<Request, Reply> {
  readonly request: Request;
  readonly limit: number | undefined;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The thread's side: answers jobs, in a thread that was started by this name. Elsewhere it does nothing.
 *
 * @param answer May not throw.
 */
export function serveJobs<Request, Reply>(name: string, answer: (request: Request) => Reply): void {
  const port = parentPort;
  if (!port || workerData !== name) return;
  port.on("message", ({ id, request }: Job<Request>) => {
    const done: Done<Reply> = { id, reply: answer(request) };
    port.postMessage(done);
  });
}

/**
 * A thread that does one job after the other, and that may die of one. It is started at first use and ends
 * with this object; without jobs it keeps nothing alive.
 */
export class JobThread<Request, Reply> implements AsyncDisposable {
  readonly #options: JobThreadOptions;
  readonly #pending = new Map<number, Pending<Request, Reply>>();
  #worker: Worker | undefined;
  #nextId = 1;
  /** Of the job that the thread does now, where that has a limit. */
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /**
   * Rejects when the thread dies of the job, or is ended.
   *
   * @param options `limit`: ms that the job itself may take. A thread that takes longer, as one does that
   * opens a file of a filesystem that does not answer, is left to itself.
   */
  run(request: Request, options: { limit?: number } = {}): Promise<Reply> {
    if (this.#isDisposed) return Promise.reject(this.#ended("was ended"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { request, limit: options.limit, resolve, reject });
      this.#post({ id, request });
      if (this.#pending.size === 1) this.#beginOldest();
    });
  }

  /** The thread does the oldest job. */
  #beginOldest(): void {
    clearTimeout(this.#timer);
    const [oldest] = this.#pending.values();
    if (oldest?.limit === undefined) return;
    const worker = this.#worker;
    this.#timer = setTimeout(() => {
      if (worker) leave(worker);
      const late = new LateError(`Cannot ${this.#options.job}: its thread took too long`);
      if (worker) this.#replace(worker, late);
    }, oldest.limit).unref();
  }

  #post(job: Job<Request>): void {
    const worker = this.#worker ??= this.#start();
    worker.ref();
    worker.postMessage(job);
  }

  #start(): Worker {
    const { module, name, stackSize } = this.#options;
    const worker = new Worker(module, {
      workerData: name,
      execArgv: [],
      resourceLimits: { stackSizeMb: stackSize },
    });
    worker.on("message", ({ id, reply }: Done<Reply>) => {
      if (worker !== this.#worker) return;
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      // Once disposed of, it is waited for: without it this process might end before that.
      if (this.#pending.size === 0 && !this.#isDisposed) worker.unref();
      this.#beginOldest();
      pending?.resolve(reply);
    });
    worker.on("error", (error) => this.#replace(worker, error));
    worker.on("exit", () => this.#replace(worker, this.#ended("ended")));
    return worker;
  }

  /** The thread died of the oldest job: a new one gets the others. */
  #replace(worker: Worker, error: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    const [oldest, ...others] = this.#pending;
    if (!oldest || this.#isDisposed) return;
    this.#pending.delete(oldest[0]);
    oldest[1].reject(error);
    for (const [id, { request }] of others) this.#post({ id, request });
    this.#beginOldest();
  }

  #ended(how: "ended" | "was ended"): Error {
    return new Error(`Cannot ${this.#options.job}: its thread ${how}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    await this.#worker?.terminate();
    for (const { reject } of this.#pending.values()) reject(this.#ended("was ended"));
    this.#pending.clear();
  }
}

/** Threads that were left to themselves and have not ended. */
const left = new Set<Worker>();

/** Lets a thread end when it can, which may be never: this process ends without it. */
function leave(worker: Worker): void {
  if (left.size === 0) process.once("exit", endWithout);
  left.add(worker);
  worker.once("exit", () => left.delete(worker));
  worker.terminate();
  // After that: `terminate` counts the thread again among what keeps the process alive.
  worker.unref();
}

/** The end of a process waits for all its threads. */
function endWithout(status: number): void {
  if (left.size > 0) exitNow(status);
}
