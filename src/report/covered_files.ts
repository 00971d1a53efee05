import { readFile } from "node:fs/promises";
import { addedByNode } from "../blocks/block_places.ts";
import { stripTypes } from "../blocks/original_source.ts";
import { scriptPath } from "../blocks/script_filter.ts";
import { scriptHash } from "../symbols/script_hash.ts";
import type { KeptSource, SourceStore } from "../symbols/source_store.ts";
import type { SymbolSegment, SymbolTable } from "../symbols/symbol_table.ts";
import type { ReportedText } from "./outline_file.ts";

/** Which blocks of a script have executed. */
export interface ScriptBlocks {
  /** Its first block's number. */
  readonly base: number;
  readonly isCovered: (block: number) => boolean;
}

/** A file that blocks stand in, and which of them have executed. */
export interface CoveredFile {
  readonly url: string;
  /** By where they stand: `line.column,line.column`. */
  readonly states: Map<string, boolean>;
  /** Undefined where nobody has it any more. */
  text?: ReportedText;
  /** What is shown of it, where that is another text than the parsed one. */
  shown?: string;
}

/** What is needed to find files. */
export interface FileSources {
  readonly symbols: SymbolTable;
  readonly sources: SourceStore;
}

/**
 * The files that scripts' blocks stand in, originals rather than what was made of them, by URL. Of a script
 * that has changed only the last version is told of.
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
    for (const [block, { url, range }] of symbols.positions(segment).entries()) {
      let file = files.get(url);
      if (!file) files.set(url, file = { url, states: new Map() });
      file.states.set(range, isCovered(block) || file.states.get(range) === true);
    }
    await addTexts(files, { segment, kept: await sources.read(segment) });
  }
  return files;
}

async function addTexts(
  files: ReadonlyMap<string, CoveredFile>,
  { segment, kept }: { segment: SymbolSegment; kept: KeptSource | undefined },
): Promise<void> {
  const { url } = segment;
  const own = files.get(url);
  if (own && !own.text) {
    const source = kept?.source ?? await readUnchanged(segment);
    if (source !== undefined) await setOwn(own, source);
  }
  for (const { url, text } of kept?.originals ?? []) {
    const file = files.get(url);
    if (file) file.text ??= { url, text, isScript: false };
  }
}

/** The file, where it is what V8 ran. */
async function readUnchanged({ url, hash }: SymbolSegment): Promise<string | undefined> {
  const text = await readText(url);
  return text !== undefined && scriptHash(text) === hash ? text : undefined;
}

async function readText(url: string): Promise<string | undefined> {
  const path = scriptPath(url);
  return path.startsWith("/") ? await readFile(path, "utf8").catch(() => undefined) : undefined;
}

/** Where Node has stripped types, the file is shown as it was written. */
async function setOwn(file: CoveredFile, source: string): Promise<void> {
  const { url } = file;
  file.text = { url, text: source, isScript: true };
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
