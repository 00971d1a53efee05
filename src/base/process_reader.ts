import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { inTime } from "./in_time.ts";
import type { Listener, ProcessFacts } from "./process_facts.ts";
import { check, checkJson, index, list, record } from "./shape.ts";

/** The questions that a reader answers, by name, with the shapes of question and answer. */
export const QUESTIONS = {
  /** So many bytes at an address of a thread's memory, in base64; null where they cannot be read whole. */
  memory: {
    ask: record({ tid: index, at: v.pipe(v.string(), v.digits()), size: index }),
    answer: v.nullable(v.string()),
  },
  process: {
    ask: record({ pid: index }),
    answer: record({
      ...{ pid: index, program: v.string(), state: v.string(), uid: index },
      ...{ handlesSigusr1: v.boolean(), hasInspectOption: v.boolean(), sharesNetwork: v.boolean() },
    }) satisfies v.GenericSchema<unknown, ProcessFacts>,
  },
  commandLine: { ask: record({ pid: index }), answer: v.string() },
  listeners: {
    ask: record({ pid: index }),
    answer: list(record({ address: v.string(), port: index })) satisfies v.GenericSchema<
      unknown,
      readonly Listener[]
    >,
  },
  listenerAt: { ask: record({ port: index }), answer: v.nullable(index) },
  whoListens: { ask: record({ port: index }), answer: v.nullable(v.string()) },
} as const;

export type Kind = keyof typeof QUESTIONS;
export type Ask<K extends Kind> = v.InferOutput<(typeof QUESTIONS)[K]["ask"]>;
export type AnswerTo<K extends Kind> = v.InferOutput<(typeof QUESTIONS)[K]["answer"]>;

/** A line to the reader's process. */
export type Question = v.InferOutput<typeof QUESTION>;
export const QUESTION = record({
  id: index,
  kind: v.picklist(Object.keys(QUESTIONS) as Kind[]),
  ask: v.unknown(),
});

/** A line from it. */
export type Answer = v.InferOutput<typeof ANSWER>;
export const ANSWER = record({
  id: index,
  answer: v.exactOptional(v.unknown()),
  /** Why there is no answer. */
  error: v.exactOptional(v.string()),
});

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** ms that a question about a caller's memory may take, and any other: some look at all processes. */
const PATIENCE = { memory: 2000, other: 10_000 } as const;
/** ms that the process may take to start. */
const START = 30_000;
/** Threads of the reader's pool. If as many questions are stuck, further ones wait. */
const THREADS = "64";

/**
 * Reads the memory, the arguments and the environment of other processes, in a process of its own.
 *
 * To read these waits for locks of those processes, and for their pages. It waits for ever if somebody is to
 * provide a page and does not (`userfaultfd(2)`, a FUSE mount). Only SIGKILL can end a thread that is stuck
 * there. So no process that serves may read them, and a reader that is stuck is killed.
 *
 * The process is started at first use.
 */
export class ProcessReader implements AsyncDisposable {
  readonly #patience: number | undefined;
  #current: ReaderProcess | undefined;
  readonly #all = new Set<ReaderProcess>();

  /** @param options `patience`: ms that a question may take. @default {2000 or 10000} */
  constructor(options: { patience?: number } = {}) {
    this.#patience = options.patience;
  }

  /** Reads the memory of a thread; undefined where it cannot be read whole, or not in time. */
  async readMemory(
    tid: number,
    range: { at: bigint; size: number },
  ): Promise<Uint8Array | undefined> {
    const ask = { tid, at: String(range.at), size: range.size };
    const answer = await this.#ask("memory", ask).catch(() => null);
    return answer === null ? undefined : Uint8Array.from(Buffer.from(answer, "base64"));
  }

  /** @throws {Error} with a reason when there is no such process, or when it may not be looked at. */
  readProcess(pid: number): Promise<ProcessFacts> {
    return this.#ask("process", { pid });
  }

  /** The arguments and the environment of a process, joined by zeros; empty where they may not be read. */
  commandLineOf(pid: number): Promise<string> {
    return this.#ask("commandLine", { pid });
  }

  /** The TCP sockets at which a process listens. */
  listenersOf(pid: number): Promise<readonly Listener[]> {
    return this.#ask("listeners", { pid });
  }

  /** The process that listens at a port of this network; 0 for one that cannot be seen. */
  async listenerAt(port: number): Promise<number | undefined> {
    return await this.#ask("listenerAt", { port }) ?? undefined;
  }

  /** The process that listens at a port of this network, for a message: `pid 4711 (node)`. */
  async whoListens(port: number): Promise<string | undefined> {
    return await this.#ask("whoListens", { port }) ?? undefined;
  }

  /** Rejects when no answer comes in time; later questions go to another process. */
  async #ask<K extends Kind>(kind: K, ask: Ask<K>): Promise<AnswerTo<K>> {
    const reader = this.#current ??= this.#start();
    await inTime(reader.ready, START, { reason: `no reader starts within ${START} ms` });
    const patience = this.#patience ?? (kind === "memory" ? PATIENCE.memory : PATIENCE.other);
    const reason = `it cannot be looked at within ${patience} ms`;
    try {
      const answer = await inTime(reader.ask(kind, ask), patience, { reason });
      return check<(typeof QUESTIONS)[K]["answer"]>(QUESTIONS[kind].answer, answer);
    } catch (error) {
      if ((error as Error).name === "LateError") this.#replace(reader, patience);
      throw error;
    }
  }

  #start(): ReaderProcess {
    const reader = new ReaderProcess(() => {
      this.#all.delete(reader);
      if (this.#current === reader) this.#current = undefined;
    });
    this.#all.add(reader);
    return reader;
  }

  /** Its other questions may still be answered. */
  #replace(reader: ReaderProcess, patience: number): void {
    if (this.#current === reader) this.#current = undefined;
    setTimeout(() => reader.end(), patience).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((reader) => reader.end()));
  }
}

/** The number of the answer that a reader gives when it has started. */
export const READY = 0;

/** One process that reads. */
class ReaderProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  /** Rejects when the process has ended before it was ready. */
  readonly ready: Promise<unknown>;
  #next = READY + 1;

  constructor(onEnd: () => void) {
    const file = fileURLToPath(import.meta.url).replace(/(\.[jt]s)$/, "_main$1");
    this.#child = spawn(process.execPath, [file], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
      env: {
        PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
        UV_THREADPOOL_SIZE: THREADS,
      },
    });
    const { stdin, stdout } = this.#child;
    for (const part of [this.#child, stdin!, stdout!]) {
      part.on("error", () => {});
      (part as unknown as { unref(): void }).unref();
    }
    createInterface({ input: stdout! }).on("line", (line) => this.#receiveLine(line));
    this.ready = new Promise((resolve, reject) => this.#pending.set(READY, { resolve, reject }));
    this.ready.catch(() => {});
    this.#child.ref();
    this.#ended = new Promise((resolve) => {
      const end = () => {
        for (const { reject } of this.#pending.values()) reject(new Error("the reader has ended"));
        this.#pending.clear();
        onEnd();
        resolve();
      };
      this.#child.once("exit", end).once("error", end);
    });
  }

  ask(kind: Kind, ask: unknown): Promise<unknown> {
    const id = this.#next++;
    const question: Question = { id, kind, ask };
    this.#child.ref();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.stdin!.write(`${JSON.stringify(question)}\n`);
    });
  }

  /** A line that makes no sense ends the process. Its questions are asked of another. */
  #receiveLine(line: string): void {
    try {
      this.#receive(checkJson(ANSWER, line));
    } catch {
      this.end();
    }
  }

  #receive({ id, answer, error }: Answer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#child.unref();
    if (error === undefined) pending?.resolve(answer);
    else pending?.reject(new Error(error));
  }

  /** Kills it: nothing else ends a thread that is stuck. */
  async end(): Promise<void> {
    this.#child.ref();
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
