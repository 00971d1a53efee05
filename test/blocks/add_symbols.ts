/**
 * Adds scripts to a symbol table, for tests in which several processes do so at a time:
 * `node add_symbols.js FILE URL...` prints the base of each.
 */
import { SymbolTable } from "../../src/symbols/symbol_table.ts";

if (process.argv[1]?.endsWith("add_symbols.js")) {
  const [file, ...urls] = process.argv.slice(2);
  using table = SymbolTable.open(file);
  for (const url of urls) {
    const positions = Uint32Array.from({ length: 4 * 50 }, (_, i) => i);
    const { base } = table.add({
      url,
      hash: "aa",
      positions,
      files: [],
      fileOf: new Uint32Array(50),
    });
    process.stdout.write(`${url} ${base}\n`);
  }
}
