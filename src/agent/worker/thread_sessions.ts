import type { MainThread } from "./main_thread.ts";

interface Attached {
  readonly sessionId: string;
  readonly workerInfo: { readonly title: string };
}

/** How messages about worker threads begin. */
const PREFIX = '{"method":"NodeWorker.';

/**
 * The inspector sessions of the target's worker threads, by way of the main thread's: see `NodeWorker` in
 * Node's `inspector/node_protocol.pdl`.
 */
export class ThreadSessions {
  readonly #main: MainThread;
  /** By the threads' numbers. */
  readonly #sessions = new Map<number, string>();
  readonly #awaited = new Map<number, (() => void)[]>();
  /** By session and message. */
  readonly #replies = new Map<string, (reply: string | undefined) => void>();
  #nextId = 1;

  constructor(main: MainThread) {
    this.#main = main;
  }

  /** No thread waits for it: they start by themselves. */
  enable(): void {
    this.#main.send("NodeWorker.enable", { waitForDebuggerOnStart: false });
  }

  /** @returns whether the message was one of these sessions'. */
  receive(message: string): boolean {
    if (!message.startsWith(PREFIX)) return false;
    const { method, params } = JSON.parse(message);
    if (method === "NodeWorker.attachedToWorker") this.#attached(params);
    else if (method === "NodeWorker.detachedFromWorker") this.#detached(params.sessionId);
    else if (method === "NodeWorker.receivedMessageFromWorker") {
      const key = `${params.sessionId} ${JSON.parse(params.message).id}`;
      this.#replies.get(key)?.(params.message);
    }
    return true;
  }

  #attached({ sessionId, workerInfo }: Attached): void {
    // `[worker 3] NAME`, see `GetWorkerTitle` in `inspector/worker_inspector.cc`.
    const threadId = Number(/^\[worker (\d+)\]/.exec(workerInfo.title)?.[1]);
    this.#sessions.set(threadId, sessionId);
    this.forget(threadId);
  }

  #detached(sessionId: string): void {
    for (const [threadId, id] of this.#sessions) {
      if (id === sessionId) this.#sessions.delete(threadId);
    }
    for (const [key, reply] of this.#replies) {
      if (key.startsWith(`${sessionId} `)) reply(undefined);
    }
  }

  /** Nobody waits any longer for a thread to be attached to. */
  forget(threadId: number): void {
    for (const resume of this.#awaited.get(threadId) ?? []) resume();
    this.#awaited.delete(threadId);
  }

  /**
   * Has a thread evaluate an expression, whatever it is doing.
   *
   * @returns the answer, once the thread is done; undefined when it has ended.
   */
  async evaluate(threadId: number, expression: string): Promise<string | undefined> {
    const sessionId = await this.#sessionOf(threadId);
    if (sessionId === undefined) return undefined;
    const id = this.#nextId++;
    const params = { expression, silent: true, returnByValue: true };
    const message = JSON.stringify({ id, method: "Runtime.evaluate", params });
    const key = `${sessionId} ${id}`;
    const reply = new Promise<string | undefined>((resolve) => this.#replies.set(key, resolve));
    this.#main.send("NodeWorker.sendMessageToWorker", { sessionId, message });
    try {
      return await reply;
    } finally {
      this.#replies.delete(key);
    }
  }

  /** Ends what JavaScript a thread runs, again; see `WorkerThread`. */
  async terminate(threadId: number): Promise<void> {
    const sessionId = await this.#sessionOf(threadId);
    const message = JSON.stringify({ id: 0, method: "Runtime.terminateExecution" });
    if (sessionId) this.#main.send("NodeWorker.sendMessageToWorker", { sessionId, message });
  }

  /** A thread that has begun may not be attached to yet: the main thread says so when it can. */
  async #sessionOf(threadId: number): Promise<string | undefined> {
    if (!this.#sessions.has(threadId)) {
      await new Promise<void>((resolve) => {
        this.#awaited.set(threadId, [...this.#awaited.get(threadId) ?? [], resolve]);
      });
    }
    return this.#sessions.get(threadId);
  }
}
