import { blockAt, blockOfPc, formatPc } from "../symbols/pc_space.ts";
import { scriptPath } from "../blocks/script_filter.ts";
import { visible } from "./display_text.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";

/** The form of positions. */
export interface SymbolOptions {
  /** Is put before each file's name; see {@linkcode fileName}. */
  readonly prefix?: string;
}

/**
 * All blocks in the format of gVisor's `runsc symbolize -all`, which syzkaller parses: the PC on one
 * line, `file:line.column,line.column` on the next. The lines of a script are together, though a source map
 * may place them in several files.
 */
export function* symbolLines(
  symbols: SymbolTable,
  options: SymbolOptions = {},
): Generator<string> {
  for (const segment of symbols.segments) {
    let text = "";
    for (const [i, { url, range }] of symbols.positions(segment).entries()) {
      text += `${formatPc(blockAt(segment, i))}\n${fileName(url, options)}:${range}\n`;
    }
    yield text;
  }
}

/** {@linkcode symbolLines} as one text. */
export function formatSymbols(symbols: SymbolTable): string {
  return [...symbolLines(symbols)].join("");
}

/** The same for one PC; its second line is `?` where no script has it. */
export function symbolize(symbols: SymbolTable, pc: bigint, options: SymbolOptions = {}): string {
  const block = blockOfPc(pc);
  const found = block === undefined ? undefined : symbols.locate(block);
  if (block === undefined || !found) return `0x${pc.toString(16)}\n?\n`;
  return `${formatPc(block)}\n${fileName(found.url, options)}:${found.range}\n`;
}

/** Characters of a name with a prefix: syzkaller accepts lines of 64 KiB. */
const MOST_CHARACTERS = 4096;

/**
 * A path without line breaks, which would break the format, and without characters that a terminal acts on.
 * With a prefix it is a path below that, as syzkaller accepts it (`gvisorLineRe` in
 * `pkg/cover/backend/gvisor.go`): without colons, and not too long.
 */
export function fileName(url: string, { prefix }: SymbolOptions): string {
  const path = visible(scriptPath(url), encodeURIComponent);
  if (prefix === undefined) return path;
  const name = path.replace(/^\/+/, "").replaceAll(":", encodeURIComponent(":"));
  return `${prefix.replace(/\/+$/, "")}/${name.slice(0, MOST_CHARACTERS)}`;
}
