import { parentPort, Worker, workerData } from "node:worker_threads";
import { Deferred } from "./deferred.ts";
import { LateError } from "./in_time.ts";
import { exitNow } from "./system_calls.ts";

export interface JobThreadOptions {
  /** The URL of the module that the thread runs: it calls {@linkcode serveJobs}. */
  readonly module: URL;
  /** The thread's `workerData`, which tells the module that it was started as such. */
  readonly name: string;
  /** The thread's work, as in `build a block table`, for errors. */
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

/** The first message of a thread: its module is loaded. */
export const LOADED = "loaded";

/** No thread can be started now, through no fault of a job: there may be no descriptor or memory left. */
export class ThreadStartError extends Error {
  override name = "ThreadStartError";
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
  port.postMessage(LOADED);
}

/**
 * A thread that does one job after the other, and that may die of one. It starts at first use, or before by
 * {@linkcode JobThread.start}, and ends with this object. Without jobs it does not keep the process alive.
 */
export class JobThread<Request, Reply> implements AsyncDisposable {
  readonly #options: JobThreadOptions;
  readonly #pending = new Map<number, Pending<Request, Reply>>();
  #worker: Worker | undefined;
  /** Resolves when the thread has loaded its module, or with the error that kept it from that. */
  #loading = new Deferred<ThreadStartError | undefined>();
  #isLoaded = false;
  #nextId = 1;
  /** The timer of the job that the thread does now, if that job has a limit. */
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /**
   * Resolves when the thread can do jobs.
   *
   * @throws {ThreadStartError} when no thread can be started now.
   */
  async start(): Promise<void> {
    if (this.#isDisposed) throw this.#ended("was ended");
    if (!this.#worker) this.#tryStart();
    const failure = await this.#loading.promise;
    if (failure) throw failure;
  }

  /**
   * Rejects when the thread dies of the job or is ended, and with a {@linkcode ThreadStartError} when no
   * thread can be started for it.
   *
   * @param options `limit`: ms that the job itself may take. A thread that takes longer is abandoned: it may
   * have opened a file of a filesystem that does not answer.
   */
  run(request: Request, options: { limit?: number } = {}): Promise<Reply> {
    if (this.#isDisposed) return Promise.reject(this.#ended("was ended"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { request, limit: options.limit, resolve, reject });
      if (this.#worker) this.#post({ id, request });
      else this.#tryStart();
      if (this.#pending.size === 1) this.#beginOldest();
    });
  }

  /** The thread does the oldest job, once it can. */
  #beginOldest(): void {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    const [oldest] = this.#pending.values();
    if (!worker || !this.#isLoaded || oldest?.limit === undefined) return;
    this.#timer = setTimeout(() => {
      leave(worker);
      this.#replace(worker, new LateError(`Cannot ${this.#options.job}: its thread took too long`));
    }, oldest.limit).unref();
  }

  #post(job: Job<Request>): void {
    this.#worker?.ref();
    this.#worker?.postMessage(job);
  }

  /** Starts a thread, which gets all jobs. If that fails, the jobs are rejected. */
  #tryStart(): void {
    this.#loading = new Deferred();
    this.#isLoaded = false;
    try {
      this.#worker = this.#start();
    } catch (error) {
      return this.#failToStart(error as Error);
    }
    for (const [id, { request }] of this.#pending) this.#post({ id, request });
  }

  #start(): Worker {
    const { module, name, stackSize } = this.#options;
    const worker = new Worker(module, {
      workerData: name,
      execArgv: [],
      resourceLimits: { stackSizeMb: stackSize },
    });
    worker.on("message", (message: Done<Reply> | typeof LOADED) => {
      if (worker !== this.#worker) return;
      if (message === LOADED) {
        this.#isLoaded = true;
        this.#loading.resolve(undefined);
      } else this.#finish(message);
      // Once disposed of, the thread is waited for: if it were not referenced, this process might end before.
      if (this.#pending.size === 0 && !this.#isDisposed) worker.unref();
      this.#beginOldest();
    });
    worker.on("error", (error) => this.#replace(worker, error));
    worker.on("exit", () => this.#replace(worker, this.#ended("ended")));
    return worker;
  }

  #finish({ id, reply }: Done<Reply>): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.resolve(reply);
  }

  /** The thread has died, of the oldest job if that had begun. A new thread gets the other jobs. */
  #replace(worker: Worker, error: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    if (!this.#isLoaded) return this.#failToStart(error);
    const [oldest] = this.#pending;
    if (!oldest || this.#isDisposed) return;
    this.#pending.delete(oldest[0]);
    oldest[1].reject(error);
    if (this.#pending.size === 0) return;
    this.#tryStart();
    this.#beginOldest();
  }

  #failToStart({ message }: Error): void {
    const error = new ThreadStartError(`Cannot ${this.#options.job}: no thread starts: ${message}`);
    this.#loading.resolve(error);
    if (this.#isDisposed) return;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
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

/** Threads that were abandoned and have not ended. */
const left = new Set<Worker>();

/** Lets a thread end when it can, which may be never: this process does not wait for it. */
function leave(worker: Worker): void {
  if (left.size === 0) process.once("exit", endWithout);
  left.add(worker);
  worker.once("exit", () => left.delete(worker));
  worker.terminate();
  // After that: `terminate` counts the thread again among what keeps the process alive.
  worker.unref();
}

/** Ends the process without its threads: its normal end waits for all of them. */
function endWithout(status: number): void {
  if (left.size > 0) exitNow(status);
}
