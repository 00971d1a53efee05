/** An engine whose tables are made here and whose PCs begin where the test says. */
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { Engine, type TargetCoverage } from "../../src/scripts/engine.ts";
import { blockNumber, blockOfPcLow } from "../../src/symbols/pc_space.ts";
import type { CountedScript } from "../../src/scripts/pipeline.ts";
import { scriptHash } from "../../src/symbols/script_hash.ts";
import type { LoadedScript } from "../../src/scripts/script_job.ts";

/** The first script's first block has this number; each further script begins this much later. */
export const STRIDE = 1000;

export class EngineWorld {
  readonly engine: Engine;
  /** Sources whose tables were made. */
  readonly built: string[] = [];
  /** The URLs of source maps that came with them. */
  readonly mapUrls: (string | undefined)[] = [];
  readonly #tables = new Map<string, Promise<CountedScript>>();
  readonly #targets: TargetCoverage[] = [];
  /** If set, tables fail to be made with this error. */
  failure: Error | undefined;

  constructor() {
    this.engine = new Engine({ table: (script) => this.#table(script) });
  }

  #table(script: LoadedScript): Promise<CountedScript> {
    if (this.failure) return Promise.reject(this.failure);
    const key = `${scriptHash(script.source)} ${script.url}`;
    let table = this.#tables.get(key);
    if (!table) this.#tables.set(key, table = this.#build(script));
    return table;
  }

  async #build({ source, mapUrl }: LoadedScript): Promise<CountedScript> {
    const base = blockNumber(STRIDE * this.built.push(source));
    this.mapUrls.push(mapUrl);
    await new Promise((resolve) => setImmediate(resolve));
    const table = buildBlockTable(source);
    return { table, segment: { base, count: table.blockStart.length } };
  }

  /** Adds a target. */
  target(isMeasured: (url: string) => boolean): TargetCoverage {
    const target = this.engine.target(isMeasured);
    this.#targets.push(target);
    return target;
  }

  /** The numbers of the blocks whose PCs the targets have gathered since the last call, in order. */
  blocks(): number[] {
    const pcs = this.#targets.flatMap((target) => [...target.drain()]);
    return pcs.map(blockOfPcLow);
  }
}

/** A function's report as V8 writes it: its range and those inside it, each `[start, end, count]`. */
export function report(
  functionName: string,
  ranges: readonly (readonly [number, number, number])[],
  isBlockCoverage = true,
): object {
  return {
    functionName,
    ranges: ranges.map(([startOffset, endOffset, count]) => ({ startOffset, endOffset, count })),
    isBlockCoverage,
  };
}

/** V8's report of one script. */
export interface ScriptReport {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly object[];
}

/** A collection, as it comes from a link: a part of a larger buffer. */
export function collection(...scripts: readonly ScriptReport[]): Uint8Array {
  const text = JSON.stringify(scripts);
  const bytes = Buffer.from(`??${text}??`);
  return bytes.subarray(2, bytes.length - 2);
}
