import { innermostBlocks, rowOfBlock } from "../blocks/innermost_blocks.ts";
import { lineStarts } from "../blocks/line_positions.ts";
import { blockOfPc, firstEndingAfter, formatPc } from "../symbols/pc_space.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolPosition, SymbolSegment, SymbolTable } from "../symbols/symbol_table.ts";
import { visible } from "./display_text.ts";
import { type FileOutline, functionNames } from "./file_coverage.ts";
import { outlineFile, type ReportedText } from "./outline_file.ts";
import { scriptTexts } from "./script_texts.ts";
import { fileName, type SymbolOptions } from "./symbolize.ts";

/** The form of a PC's line. */
export interface PcLineOptions extends SymbolOptions {
  /** Whether the line of code follows. */
  readonly source?: boolean;
}

/** A file's text, and the names in it. */
interface File {
  readonly lines: readonly string[];
  /** Returns the name of the function at a range. */
  readonly nameAt: (range: string) => string | undefined;
}

/** A script whose PCs are looked up. */
interface Script {
  readonly positions: readonly SymbolPosition[];
  /** The script's own text. */
  readonly own: File | undefined;
  /** Its originals, by URL. */
  readonly originals: ReadonlyMap<string, File>;
}

/** Characters of a line of code that are shown, and those before the place that is meant. */
const MOST_CODE = 120;
const BEFORE_CODE = 20;

/** PCs for people to read. Lookups for one PC are kept for the next. */
export class PcLines {
  readonly #symbols: SymbolTable;
  readonly #sources: SourceStore;
  readonly #scripts = new Map<SymbolSegment, Promise<Script>>();

  constructor({ symbols, sources }: { symbols: SymbolTable; sources: SourceStore }) {
    this.#symbols = symbols;
    this.#sources = sources;
  }

  /**
   * A PC on a line: `0x... file:line.column,line.column function`, or a question mark where no script has it.
   * The function is missing where the script's text is lost, or may not be read.
   */
  async of(pc: bigint, options: PcLineOptions = {}): Promise<string> {
    const block = blockOfPc(pc);
    const { segments } = this.#symbols;
    const unknown = `0x${pc.toString(16)} ?\n`;
    if (block === undefined) return unknown;
    const segment = segments[firstEndingAfter(segments, block)];
    if (!segment || segment.base > block) return unknown;
    let script = this.#scripts.get(segment);
    if (!script) this.#scripts.set(segment, script = this.#read(segment));
    const { positions, own, originals } = await script;
    // A damaged line of the symbol table has fewer places.
    const position = positions[block - segment.base];
    if (!position) return unknown;
    const { url, range, isOriginal } = position;
    const file = isOriginal ? originals.get(url) : own;
    const place = `${formatPc(block)} ${fileName(url, options)}:${range}`;
    const name = file?.nameAt(range);
    const line = name === undefined ? place : `${place} ${visible(name)}`;
    const code = options.source && file ? codeAt(file.lines, range) : undefined;
    return code === undefined ? `${line}\n` : `${line}\n    ${code}\n`;
  }

  async #read(segment: SymbolSegment): Promise<Script> {
    const positions = this.#symbols.positions(segment);
    const texts = await scriptTexts(segment, this.#sources);
    const own = texts.find(({ isScript }) => isScript);
    const originals = texts.filter(({ isScript }) => !isScript);
    return {
      positions,
      own: own && fileOf(own),
      originals: new Map(originals.map((text) => [text.url, fileOf(text)])),
    };
  }
}

function fileOf(text: ReportedText): File {
  const outline = outlineFile(text);
  return {
    lines: linesOf(text.text),
    nameAt: outline ? namesIn(outline, text.text) : () => undefined,
  };
}

function linesOf(text: string): string[] {
  const starts = lineStarts(text);
  return starts.map((start, i) =>
    text.slice(start, starts[i + 1]).replace(/[\r\n\u2028\u2029]+$/, "")
  );
}

/** If no block has the range, the name is that of the function around its start. */
function namesIn(outline: FileOutline, text: string): (range: string) => string {
  const { table } = outline;
  const nameOf = functionNames(outline);
  const starts = lineStarts(text);
  const blocks = new Map<string, number>();
  for (let block = 0; block < table.blockStart.length; block++) {
    blocks.set(rangeOf(outline.positions, block), block);
  }
  return (range) => {
    const { line, column } = startOf(range);
    const offset = (starts[line - 1] ?? 0) + column - 1;
    const block = blocks.get(range) ?? innermostBlocks(table, [offset])[0];
    const row = block < 0 ? 0 : rowOfBlock(table, block);
    return row === 0 ? "(top level)" : nameOf(row) ?? "(anonymous)";
  };
}

function rangeOf(positions: Uint32Array, block: number): string {
  const [line, column, endLine, endColumn] = positions.subarray(4 * block, 4 * block + 4);
  return `${line}.${column},${endLine}.${endColumn}`;
}

function startOf(range: string): { line: number; column: number } {
  const [line, column] = range.split(/[.,]/).map(Number);
  return { line, column };
}

/**
 * The first line of code in a block: the block may begin at the end of the line before. Without its
 * indentation; of a long line only the part around the place.
 */
function codeAt(lines: readonly string[], range: string): string {
  let { line, column } = startOf(range);
  while (line < lines.length && (lines[line - 1] ?? "").slice(column - 1).trim() === "") {
    line++;
    column = 1;
  }
  const text = (lines[line - 1] ?? "").replaceAll("\t", " ");
  if (text.trim().length <= MOST_CODE) return visible(text.trim());
  const from = Math.max(0, column - 1 - BEFORE_CODE);
  return visible(text.slice(from, from + MOST_CODE).trim());
}
