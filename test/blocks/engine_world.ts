/** An engine whose tables are made here and whose PCs begin where the test says. */
import { plainPlaces } from "../../src/blocks/block_places.ts";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import { Engine, type TargetCoverage } from "../../src/scripts/engine.ts";
import { pcOfBlock } from "../../src/symbols/pc_space.ts";
import type { NewSymbols, SymbolTable } from "../../src/symbols/symbol_table.ts";
import type { TableBuilder } from "../../src/scripts/table_builder.ts";

/** The first script's first block has this number; each further script begins so much later. */
export const STRIDE = 1000;

export class EngineWorld {
  readonly engine: Engine;
  readonly warnings: string[] = [];
  /** Sources whose tables were made. */
  readonly built: string[] = [];
  /** URLs of source maps that were handed over with them. */
  readonly mapUrls: (string | undefined)[] = [];
  /** Why no map can be followed. */
  broken: string | undefined;
  /** Scripts that were given PCs, in order. */
  readonly symbols: NewSymbols[] = [];
  readonly #targets: TargetCoverage[] = [];
  /** Made to fail when it is set. */
  failure: Error | undefined;

  constructor() {
    const tables: Pick<TableBuilder, "build"> = {
      build: async (script) => {
        this.built.push(script.source);
        this.mapUrls.push(script.mapUrl);
        await new Promise((resolve) => setImmediate(resolve));
        const table = buildBlockTable(script.source);
        const { broken } = this;
        const places = plainPlaces(script, table);
        return { table, ...places, originals: [], ...(broken && { broken }) };
      },
    };
    const symbols: Pick<SymbolTable, "add"> = {
      add: (script) => {
        if (this.failure) throw this.failure;
        const base = STRIDE * this.symbols.push(script);
        const count = script.positions.length / 4;
        return { ...script, base, count, positionsAt: 0, positionsLength: 0 };
      },
    };
    this.engine = new Engine({
      tables: tables as TableBuilder,
      symbols: symbols as SymbolTable,
      warn: (line) => this.warnings.push(line),
    });
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
    return pcs.map((pc) => (pc - pcOfBlock(0)) / 8);
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
