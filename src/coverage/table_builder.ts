import { Worker } from "node:worker_threads";
import type { BlockPlaces } from "./block_places.ts";
import type { BlockTable } from "./block_table.ts";
import { findMapUrl } from "./map_url.ts";

/** A script whose table is wanted. */
export interface TableSource {
  readonly url: string;
  readonly source: string;
  /** Its source map's URL, where that is not in the source. */
  readonly mapUrl?: string;
  /** Whether its source map, if any, is left alone. */
  readonly isPlain?: boolean;
}

/** A block table and where its blocks stand. */
export interface BuiltTable extends BlockPlaces {
  readonly table: BlockTable;
  /** Why its source map was not followed. */
  readonly broken?: string;
}

export interface TableRequest extends TableSource {
  readonly id: number;
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
  readonly script: TableSource;
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

  /**
   * Builds a table, and finds where its blocks stand by the script's source map.
   *
   * @throws {SyntaxError} when the source cannot be parsed.
   */
  async build(script: TableSource): Promise<BuiltTable> {
    try {
      return await this.#request(script);
    } catch (error) {
      // The thread died, perhaps of the map; the table must not depend on it.
      const hasMap = script.mapUrl !== undefined || findMapUrl(script.source) !== undefined;
      if (!hasMap || error instanceof SyntaxError || this.#isDisposed) throw error;
      const built = await this.#request({ ...script, isPlain: true });
      return { ...built, broken: "it is too large for the memory there is" };
    }
  }

  #request(script: TableSource): Promise<BuiltTable> {
    if (this.#isDisposed) return Promise.reject(new Error(DISPOSED));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { script, resolve, reject });
      this.#post({ id, ...script });
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
    for (const [id, { script }] of others) this.#post({ id, ...script });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#worker?.terminate();
    for (const { reject } of this.#pending.values()) reject(new Error(DISPOSED));
    this.#pending.clear();
  }
}
