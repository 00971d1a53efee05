/** A pipeline with a symbol table in a folder of its own. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Pipeline } from "../../src/scripts/pipeline.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";

export class PipelineWorld implements AsyncDisposable {
  readonly folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-pipeline-"));
  readonly warnings: string[] = [];
  readonly symbols = SymbolTable.open(symbolFile(this.folder));
  readonly pipeline = this.makePipeline(this.symbols);

  /** Another one. */
  makePipeline(symbols: Pick<SymbolTable, "find" | "add">): Pipeline {
    const warn = (line: string) => void this.warnings.push(line);
    return new Pipeline({ symbols: symbols as SymbolTable, reporter: { warn } });
  }

  /** The text of the symbol table's file. */
  get text(): string {
    return fs.readFileSync(symbolFile(this.folder), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pipeline[Symbol.asyncDispose]();
    this.symbols[Symbol.dispose]();
    fs.rmSync(this.folder, { recursive: true });
  }
}
