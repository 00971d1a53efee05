import * as path from "node:path";
import { SymbolTable } from "./symbol_table.ts";
import { UserError } from "../base/user_error.ts";

/** The symbol table's file in a state folder. */
export function symbolFile(state: string): string {
  return path.join(state, "symbols");
}

/** The folder of scripts' sources in a state folder. */
export function sourcesFolder(state: string): string {
  return path.join(state, "sources");
}

/**
 * Opens the symbol table in a state folder for a server.
 *
 * @throws {Error} with one line for the user.
 */
export function openSymbols(state: string): SymbolTable {
  try {
    return SymbolTable.open(symbolFile(state));
  } catch (error) {
    throw new UserError(
      `Cannot open the symbols in ${state}: ${(error as Error).message}; see --state`,
    );
  }
}
