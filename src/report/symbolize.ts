import { blockOfPc, formatPc } from "../coverage/pc_space.ts";
import { scriptPath } from "../coverage/script_filter.ts";
import type { SymbolTable } from "../coverage/symbol_table.ts";

/**
 * All blocks in the format of gVisor's `runsc symbolize -all`, which syzkaller parses: the PC on one
 * line, `file:line.column,line.column` on the next. A script's lines follow each other, though a source
 * map may place them in several files.
 */
export function* symbolLines(symbols: SymbolTable): Generator<string> {
  for (const segment of symbols.segments) {
    let text = "";
    for (const [i, { url, range }] of symbols.positions(segment).entries()) {
      text += `${formatPc(segment.base + i)}\n${fileName(url)}:${range}\n`;
    }
    yield text;
  }
}

/** {@linkcode symbolLines} as one text. */
export function formatSymbols(symbols: SymbolTable): string {
  return [...symbolLines(symbols)].join("");
}

/** A PC and where it is, on two lines; the second is `?` for a PC that no script has. */
export function symbolize(symbols: SymbolTable, pc: bigint): string {
  const block = blockOfPc(pc);
  const found = block < 0 ? undefined : symbols.locate(block);
  if (!found) return `0x${pc.toString(16)}\n?\n`;
  return `${formatPc(block)}\n${fileName(found.url)}:${found.range}\n`;
}

/** A path without line breaks, which would break the format. */
function fileName(url: string): string {
  return scriptPath(url).replace(/[\r\n]/g, encodeURIComponent);
}
