import { addedByNode } from "../blocks/block_places.ts";
import { stripTypes } from "../blocks/original_source.ts";
import type { BlockNumber } from "../symbols/pc_space.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolPosition, SymbolTable } from "../symbols/symbol_table.ts";
import type { ReportedText } from "./outline_file.ts";
import { readText, scriptTexts } from "./script_texts.ts";

/** A script's blocks, and which of them have executed. */
export interface ScriptBlocks {
  /** Its first block. */
  readonly base: BlockNumber;
  readonly isCovered: (block: number) => boolean;
}

/** A file that blocks stand in, and which of them have executed. */
export interface CoveredFile {
  readonly url: string;
  /** By place: `line.column,line.column`. */
  readonly states: Map<string, boolean>;
  /** Undefined where it is lost. */
  text?: ReportedText;
  /** The text to show, where it is not the one that is parsed. */
  shown?: string;
}

/** The tables that files are found by. */
export interface FileSources {
  readonly symbols: SymbolTable;
  readonly sources: SourceStore;
}

/**
 * The files that scripts' blocks stand in, by URL: originals rather than compiled scripts. If a script has
 * changed, only its last version is included.
 *
 * @param scripts In the order in which they came.
 */
export async function coveredFiles(
  scripts: readonly ScriptBlocks[],
  { symbols, sources }: FileSources,
): Promise<Map<string, CoveredFile>> {
  const files = new Map<string, CoveredFile>();
  const segments = new Map(symbols.segments.map((segment) => [segment.base, segment]));
  const versions = new Map<string, string>();
  for (const { base } of scripts) {
    const segment = segments.get(base);
    if (segment) versions.set(segment.url, segment.hash);
  }
  for (const { base, isCovered } of scripts) {
    const segment = segments.get(base);
    if (!segment || segment.hash !== versions.get(segment.url)) continue;
    const positions = symbols.positions(segment);
    const originals = new Set(positions.filter(isOriginal).map(({ url }) => url));
    for (const [block, { url, range, isOriginal }] of positions.entries()) {
      // If a file was compiled in place, only blocks of its original count: the compiler has added the others.
      if (!isOriginal && originals.has(url)) continue;
      let file = files.get(url);
      if (!file) files.set(url, file = { url, states: new Map() });
      file.states.set(range, isCovered(block) || file.states.get(range) === true);
    }
    for (const text of await scriptTexts(segment, sources)) {
      if (!text.isScript || !originals.has(text.url)) await addText(files, text);
    }
  }
  return files;
}

function isOriginal(position: SymbolPosition): boolean {
  return position.isOriginal;
}

async function addText(files: ReadonlyMap<string, CoveredFile>, text: ReportedText): Promise<void> {
  const file = files.get(text.url);
  if (!file || file.text) return;
  if (text.isScript) await setOwn(file, text);
  else file.text = text;
}

/** If Node has stripped a file's types, the file is shown as it was written. */
async function setOwn(file: CoveredFile, own: ReportedText): Promise<void> {
  const { url, text: source } = own;
  file.text = own;
  const added = addedByNode(url);
  if (!source.endsWith(added)) return;
  const stripped = source.slice(0, -added.length);
  const written = await readText(url);
  const isSame = written !== undefined && isStripped(written, stripped);
  file.shown = isSame ? written : stripped;
}

function isStripped(written: string, stripped: string): boolean {
  try {
    return stripTypes(written) === stripped;
  } catch {
    return false;
  }
}
