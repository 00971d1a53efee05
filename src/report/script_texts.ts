import { readFile } from "node:fs/promises";
import { scriptPath } from "../blocks/script_filter.ts";
import { scriptHash } from "../symbols/script_hash.ts";
import type { SourceStore } from "../symbols/source_store.ts";
import type { SymbolSegment } from "../symbols/symbol_table.ts";
import type { ReportedText } from "./outline_file.ts";

/**
 * The texts that a script's blocks stand in, as they were when it got its PCs; its own first, if it was kept.
 */
export async function scriptTexts(
  segment: SymbolSegment,
  sources: SourceStore,
): Promise<ReportedText[]> {
  const { url } = segment;
  const kept = await sources.read(segment);
  const own = kept?.source ?? await readUnchanged(segment);
  const originals = kept?.originals ?? [];
  return [
    ...own === undefined ? [] : [{ url, text: own, isScript: true }],
    ...originals.map(({ url, text }) => ({ url, text, isScript: false })),
  ];
}

/** The texts of scripts with these first blocks, as V8 ran them. */
export async function ownTexts(
  bases: ReadonlySet<number>,
  { segments, sources, isMeant }: {
    segments: readonly SymbolSegment[];
    sources: SourceStore;
    isMeant?: (url: string) => boolean;
  },
): Promise<Set<string>> {
  const texts = new Set<string>();
  for (const segment of segments) {
    if (!bases.has(segment.base) || isMeant?.(segment.url) === false) continue;
    const own = (await scriptTexts(segment, sources)).find(({ isScript }) => isScript);
    if (own) texts.add(own.text);
  }
  return texts;
}

/** The file's text, if it is the one that V8 ran. */
async function readUnchanged({ url, hash }: SymbolSegment): Promise<string | undefined> {
  const text = await readText(url);
  return text !== undefined && scriptHash(text) === hash ? text : undefined;
}

/** The text of a file; undefined where there is no such file, or it cannot be read. */
export async function readText(url: string): Promise<string | undefined> {
  const path = scriptPath(url);
  return path.startsWith("/") ? await readFile(path, "utf8").catch(() => undefined) : undefined;
}
