/** A prober with a symbol table in a folder of its own. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { Prober } from "../../src/scripts/prober.ts";
import { symbolFile } from "../../src/symbols/symbol_file.ts";

export class ProberWorld implements AsyncDisposable {
  readonly folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-prober-"));
  readonly warnings: string[] = [];
  readonly symbols = SymbolTable.open(symbolFile(this.folder));
  readonly prober = this.makeProber(this.symbols);

  /** Another one. */
  makeProber(symbols: Pick<SymbolTable, "find" | "add">): Prober {
    const warn = (line: string) => void this.warnings.push(line);
    return new Prober({ symbols: symbols as SymbolTable, warn });
  }

  /** What the symbol table's file says. */
  get text(): string {
    return fs.readFileSync(symbolFile(this.folder), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.prober[Symbol.asyncDispose]();
    this.symbols[Symbol.dispose]();
    fs.rmSync(this.folder, { recursive: true });
  }
}
