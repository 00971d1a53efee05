import type { SourceText } from "../symbols/source_store.ts";
import { LateError } from "../base/in_time.ts";
import { JobThread } from "../base/job_thread.ts";
import type { BlockPlaces } from "../blocks/block_places.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { findMapUrl } from "../blocks/map_url.ts";

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
  /** The originals that blocks stand in, as far as they are there. */
  readonly originals: readonly SourceText[];
  /** Why its source map was not followed. */
  readonly broken?: string;
}

export type TableReply = { readonly built: BuiltTable } | { readonly error: string };

/** Tells the worker's module that it was started as such. */
export const TABLE_WORKER = "kcovfs:table";

/** MB; parsing recurses as deep as the source is nested. */
export const STACK_SIZE = 64;

/**
 * ms that a table may take whose script has a map: files that it names may be where nobody answers. Without
 * its map the script has a table all the same.
 */
export const MAP_LIMIT = 60_000;

const TOO_LARGE = "it is too large for the memory there is";
export const TOO_LATE = "it takes too long, or a file that it names does not answer";

/**
 * Builds block tables on a thread of its own, which a large script occupies for seconds: the server
 * goes on answering.
 */
export class TableBuilder implements AsyncDisposable {
  readonly #thread = new JobThread<TableSource, TableReply>({
    module: new URL(`./table_worker${extension()}`, import.meta.url),
    name: TABLE_WORKER,
    job: "build a block table",
    stackSize: STACK_SIZE,
  });

  /**
   * Builds a table, and finds where its blocks stand by the script's source map.
   *
   * @throws {SyntaxError} when the source cannot be parsed.
   */
  async build(script: TableSource): Promise<BuiltTable> {
    const hasMap = script.mapUrl !== undefined || findMapUrl(script.source) !== undefined;
    try {
      return await this.#build(script, hasMap ? { limit: MAP_LIMIT } : {});
    } catch (error) {
      // The thread died, perhaps of the map; the table must not depend on it.
      if (!hasMap || error instanceof SyntaxError || this.#thread.isDisposed) throw error;
      const built = await this.#build({ ...script, isPlain: true });
      return { ...built, broken: error instanceof LateError ? TOO_LATE : TOO_LARGE };
    }
  }

  async #build(script: TableSource, options: { limit?: number } = {}): Promise<BuiltTable> {
    const reply = await this.#thread.run(script, options);
    if ("built" in reply) return reply.built;
    throw new SyntaxError(reply.error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#thread[Symbol.asyncDispose]();
  }
}

/** Sources run as they are, too. */
function extension(): string {
  return import.meta.url.endsWith(".ts") ? ".ts" : ".js";
}
