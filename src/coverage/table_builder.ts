import { Worker } from "node:worker_threads";
import type { BlockTable } from "./block_table.ts";

/** A block table and where its blocks stand; see `linePositions`. */
export interface BuiltTable {
  readonly table: BlockTable;
  readonly positions: Uint32Array;
}

export interface TableRequest {
  readonly id: number;
  readonly source: string;
}

export type TableReply =
  | { readonly id: number; readonly built: BuiltTable }
  | { readonly id: number; readonly error: string };

/** Tells the worker's module that it was started as such. */
export const TABLE_WORKER = "kcovfs:table";

/** MB; parsing recurses as deep as the source is nested. */
const STACK_SIZE = 64;

const DISPOSED = "Cannot build a block table: its builder was ended";

interface Pending {
  readonly source: string;
  readonly resolve: (built: BuiltTable) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Builds block tables on a thread of its own, which a large script occupies for seconds: the server
 * goes on answering. The thread is started at first use and ends with the builder.
 */
export class TableBuilder implements AsyncDisposable {
  #worker: Worker | undefined;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #isDisposed = false;

  /** @throws {SyntaxError} when the source cannot be parsed. */
  build(source: string): Promise<BuiltTable> {
    if (this.#isDisposed) return Promise.reject(new Error(DISPOSED));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { source, resolve, reject });
      this.#post({ id, source });
    });
  }

  #post(request: TableRequest): void {
    const worker = this.#worker ??= this.#start();
    worker.ref();
    worker.postMessage(request);
  }

  #start(): Worker {
    const file = import.meta.url.endsWith(".ts") ? "./table_worker.ts" : "./table_worker.js";
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: TABLE_WORKER,
      execArgv: [],
      resourceLimits: { stackSizeMb: STACK_SIZE },
    });
    worker.on("message", (reply: TableReply) => this.#settle(reply));
    worker.on("error", (error) => this.#replace(error));
    return worker;
  }

  #settle(reply: TableReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if ("built" in reply) pending?.resolve(reply.built);
    else pending?.reject(new SyntaxError(reply.error));
  }

  /** The thread died of the oldest script, too large for its memory: a new one gets the others. */
  #replace(error: Error): void {
    this.#worker = undefined;
    const [oldest, ...others] = this.#pending;
    if (!oldest || this.#isDisposed) return;
    this.#pending.delete(oldest[0]);
    oldest[1].reject(error);
    for (const [id, { source }] of others) this.#post({ id, source });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#worker?.terminate();
    for (const { reject } of this.#pending.values()) reject(new Error(DISPOSED));
    this.#pending.clear();
  }
}
