import type { BlockPlaces } from "./block_places.ts";
import { lineStarts } from "./line_positions.ts";
import { MapError, readFileUrl, readMapText } from "./map_reader.ts";
import { findMapUrl } from "./map_url.ts";
import { mappedPlaces, type MappedScript } from "./mapped_places.ts";
import { type OriginalSource, parseOriginal } from "./original_source.ts";
import { parseSourceMap, type SourceMap } from "./source_map.ts";

/** UTF-16 units of originals that are parsed for one script; the rest is placed by mappings alone. */
const MOST_ORIGINALS = 32 * 1024 * 1024;

/**
 * Where a script's blocks stand by its source map, if it has one. With a map that cannot be followed they
 * stand in the script, and `broken` says why.
 *
 * It reads files: that of the map, and those of the originals where the map has not got them.
 */
export function placeByMap(
  script: MappedScript & { mapUrl?: string },
): BlockPlaces & { broken?: string } {
  const mapUrl = script.mapUrl || findMapUrl(script.source);
  if (!mapUrl) return script.plain;
  try {
    const lines = lineStarts(script.source).length;
    const map = parseSourceMap(readMapText(mapUrl, script.url), { lines });
    return mappedPlaces(script, map, originals(map));
  } catch (error) {
    // Whatever else can go wrong with a map, its script has blocks all the same.
    const broken = error instanceof MapError ? error.message : `it cannot be read: ${error}`;
    return { ...script.plain, broken: broken.replace(/\s+/g, " ") };
  }
}

/** Each original once, when it is asked for. */
function originals(map: SourceMap): (index: number) => OriginalSource | undefined {
  const parsed = new Map<number, OriginalSource | undefined>();
  let left = MOST_ORIGINALS;
  return (index) => {
    if (parsed.has(index)) return parsed.get(index);
    const { url } = map.originals[index];
    const content = map.originals[index].content ?? readOriginal(url);
    let original: OriginalSource | undefined;
    if (content !== undefined && content.length <= left) {
      left -= content.length;
      original = parseOriginal(url, content);
    }
    parsed.set(index, original);
    return original;
  };
}

function readOriginal(url: string): string | undefined {
  if (!url.startsWith("file:")) return undefined;
  try {
    return readFileUrl(new URL(url));
  } catch {
    return undefined;
  }
}
