import type { MainThread } from "./main_thread.ts";

interface Attached {
  readonly sessionId: string;
  readonly workerInfo: { readonly title: string };
}

/** The beginning of messages about worker threads. */
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

  /** Threads do not wait for a debugger: they start by themselves. */
  enable(): void {
    this.#main.send("NodeWorker.enable", { waitForDebuggerOnStart: false });
  }

  /** @returns whether the message belonged to one of these sessions. */
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

  /** Ends the waiting for a thread's session. */
  forget(threadId: number): void {
    for (const resume of this.#awaited.get(threadId) ?? []) resume();
    this.#awaited.delete(threadId);
  }

  /**
   * Makes a thread evaluate an expression, whatever it is doing.
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

  /** Ends the JavaScript that a thread runs, once more; see `WorkerThread`. */
  async terminate(threadId: number): Promise<void> {
    const sessionId = await this.#sessionOf(threadId);
    const message = JSON.stringify({ id: 0, method: "Runtime.terminateExecution" });
    if (sessionId) this.#main.send("NodeWorker.sendMessageToWorker", { sessionId, message });
  }

  /** A thread that has begun may not have a session yet: the main thread reports it when it can. */
  async #sessionOf(threadId: number): Promise<string | undefined> {
    if (!this.#sessions.has(threadId)) {
      await new Promise<void>((resolve) => {
        this.#awaited.set(threadId, [...this.#awaited.get(threadId) ?? [], resolve]);
      });
    }
    return this.#sessions.get(threadId);
  }
}
