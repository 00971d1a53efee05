import { type BlockPlaces, plainPlaces } from "../blocks/block_places.ts";
import type { BlockTable } from "../blocks/block_table.ts";
import { lineStarts } from "../blocks/line_positions.ts";
import { MapError, readFileUrl, readMapText } from "../blocks/map_reader.ts";
import { findMapUrl } from "../blocks/map_url.ts";
import { mappedPlaces, type MappedScript } from "../blocks/mapped_places.ts";
import { type OriginalSource, parseOriginal } from "../blocks/original_source.ts";
import { parseSourceMap, type SourceMap } from "../blocks/source_map.ts";
import { StateError } from "../blocks/state_error.ts";
import type { SourceText } from "../symbols/source_store.ts";
import type { LoadedScript, PlacedBlocks, ScriptJob } from "./script_job.ts";

/**
 * UTF-16 units of originals that are parsed for one script; blocks in further ones are placed by mappings
 * alone.
 */
const MOST_ORIGINALS = 32 * 1024 * 1024;

/**
 * The places of a table's blocks, by the script's source map if it has one. If the map cannot be followed,
 * they are in the script, and `broken` says why.
 *
 * It reads files: the map, and the originals that the map does not contain.
 *
 * @throws {StateError} when they cannot be read for a reason that may pass.
 */
export function placeBlocks(
  script: LoadedScript & Pick<ScriptJob, "isPlain">,
  table: BlockTable,
): PlacedBlocks {
  const plain = plainPlaces(script, table);
  const mapUrl = script.mapUrl || findMapUrl(script.source);
  if (script.isPlain || !mapUrl) return { ...plain, originals: [] };
  try {
    return placeByMap({ ...script, table, plain }, mapUrl);
  } catch (error) {
    if (error instanceof StateError) throw error;
    // Whatever else is wrong with a map, its script has blocks all the same.
    const broken = error instanceof MapError ? error.message : `it cannot be read: ${error}`;
    return { ...plain, originals: [], broken: broken.replace(/\s+/g, " ") };
  }
}

function placeByMap(script: MappedScript, mapUrl: string): PlacedBlocks {
  const lines = lineStarts(script.source).length;
  const map = parseSourceMap(readMapText(mapUrl, script.url), { lines });
  const { original, texts } = originalsOf(map);
  const places = mappedPlaces(script, map, original);
  return { ...places, originals: usedTexts(places, texts) };
}

function usedTexts(places: BlockPlaces, texts: ReadonlyMap<string, string>): SourceText[] {
  const used = new Set(places.fileOf);
  return places.files.flatMap((url, index) => {
    const text = used.has(index + 1) ? texts.get(url) : undefined;
    return text === undefined ? [] : [{ url, text }];
  });
}

/** Reads each original once, at first use, and keeps the texts of those that were read, by URL. */
function originalsOf(map: SourceMap) {
  const parsed = new Map<number, OriginalSource | undefined>();
  const texts = new Map<string, string>();
  let left = MOST_ORIGINALS;
  const original = (index: number): OriginalSource | undefined => {
    if (parsed.has(index)) return parsed.get(index);
    const { url } = map.originals[index];
    const content = map.originals[index].content ?? readOriginal(url);
    let original: OriginalSource | undefined;
    if (content !== undefined && content.length <= left) {
      left -= content.length;
      texts.set(url, content);
      original = parseOriginal(url, content);
    }
    parsed.set(index, original);
    return original;
  };
  return { original, texts };
}

function readOriginal(url: string): string | undefined {
  if (!url.startsWith("file:")) return undefined;
  try {
    return readFileUrl(new URL(url));
  } catch (error) {
    if (error instanceof StateError) throw error;
    return undefined;
  }
}
