/** The content of a source map, checked: others write maps, which may say anything. */
import { decodedMappings, FlattenMap, type SourceMapSegment } from "@jridgewell/trace-mapping";
import { MapError, type MapText } from "./map_reader.ts";

/** A source map of one script. */
export interface SourceMap {
  /** By index: an original's URL, or the map's name for it; and its text, where the map has it. */
  readonly originals: readonly { readonly url: string; readonly content: string | undefined }[];
  /** Mappings by generated line, counted from 0; each line's by ascending column. */
  readonly lines: readonly (readonly SourceMapSegment[])[];
}

interface PlainMap {
  readonly version: 3;
  readonly sources: readonly (string | null)[];
  readonly sourcesContent?: readonly (string | null)[] | null;
  readonly sourceRoot?: string | null;
  readonly mappings: string;
}

interface Section {
  readonly offset: { readonly line: number; readonly column: number };
  readonly map: PlainMap;
}

/**
 * Reads a map, with sections or without.
 *
 * @param options `lines`: how many the script has; mappings of others are left out.
 * @throws {MapError} when it is no map.
 */
export function parseSourceMap({ text, base }: MapText, options: { lines: number }): SourceMap {
  const sections = sectionsOf(parseJson(text), options.lines);
  const maps = sections.map(({ map }) => map);
  const originals = maps.flatMap((map) => originalsOf(map, base));
  const isWhole = sections.length === 1 &&
    sections[0].offset.line + sections[0].offset.column === 0;
  const joined = isWhole ? sections[0].map : { version: 3, sections };
  const lines = decodedMappings(new FlattenMap(joined as never)).slice(0, options.lines);
  checkSources(lines, originals.length);
  return { originals, lines };
}

/** A map may begin with a line that keeps it from being run as a script. */
function parseJson(text: string): unknown {
  const json = text.startsWith(")]}'") ? text.slice(text.indexOf("\n") + 1 || text.length) : text;
  try {
    return JSON.parse(json);
  } catch {
    // The error's message quotes the file, which may not be the reader's business.
    throw new MapError("it is no JSON");
  }
}

function sectionsOf(map: unknown, lines: number): Section[] {
  const { version, sections } = object(map, "it");
  if (version !== 3) throw new MapError(`its version is ${printed(version)}, not 3`);
  if (sections === undefined) {
    return [{ offset: { line: 0, column: 0 }, map: plainMap(map, lines) }];
  }
  if (!Array.isArray(sections)) throw new MapError("its sections are no list");
  const checked = sections.map((section) => sectionOf(section, lines));
  checked.forEach(({ offset }, i) => {
    const before = checked[i - 1]?.offset;
    if (before && (offset.line - before.line || offset.column - before.column) < 0) {
      throw new MapError("its sections are out of order");
    }
  });
  return checked.filter(({ offset }) => offset.line < lines);
}

function sectionOf(value: unknown, lines: number): Section {
  const section = object(value, "a section");
  const { line, column } = object(section["offset"], "a section's offset");
  if (!isIndex(line) || !isIndex(column)) throw new MapError("a section's offset is no place");
  const { version } = object(section["map"], "a section's map");
  if (version !== 3) throw new MapError(`a section's version is ${printed(version)}, not 3`);
  return { offset: { line, column }, map: plainMap(section["map"], lines) };
}

/** Cuts off mappings of lines that the script does not have: each would cost memory. */
function plainMap(value: unknown, lines: number): PlainMap {
  const { sources, sourcesContent, sourceRoot, mappings } = object(value, "it");
  if (!Array.isArray(sources) || !sources.every(isTextOrNull)) {
    throw new MapError("its sources are no list of names");
  }
  if (typeof mappings !== "string") throw new MapError("it has no mappings");
  const contents = Array.isArray(sourcesContent) ? sourcesContent : [];
  return {
    version: 3,
    sources,
    sourcesContent: sources.map((_, i) => isTextOrNull(contents[i]) ? contents[i] : null),
    sourceRoot: typeof sourceRoot === "string" ? sourceRoot : "",
    mappings: mappings.slice(0, checkMappings(mappings, lines)),
  };
}

/**
 * Mappings are groups of 1, 4 or 5 numbers in VLQ: digits of 6 bits. The last digit of a number has no
 * continuation bit (the characters up to `f`).
 *
 * @returns the offset at which line number `lines` begins, the first that the script does not have.
 * @throws {MapError} where they are not.
 */
function checkMappings(mappings: string, lines: number): number {
  let line = 0;
  let numbers = 0;
  let digits = 0;
  for (let i = 0; i <= mappings.length; i++) {
    const code = i < mappings.length ? mappings.charCodeAt(i) : SEMICOLON;
    if (code === COMMA || code === SEMICOLON) {
      const isWhole = numbers === 0 || numbers === 1 || numbers === 4 || numbers === 5;
      if (digits > 0 || !isWhole) throw damagedAt(i);
      numbers = 0;
      if (code === SEMICOLON && ++line === lines) return i;
      continue;
    }
    const isLast = IS_LAST[code];
    // A number of 32 bits has 7 digits at most.
    if (isLast === undefined || ++digits > 7) throw damagedAt(i);
    if (!isLast) continue;
    digits = 0;
    numbers++;
  }
  return mappings.length;
}

const COMMA = 44;
const SEMICOLON = 59;
/** By a digit's character code: whether it ends a number. */
const IS_LAST: boolean[] = [];
for (
  const [value, digit] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"]
    .entries()
) {
  IS_LAST[digit.charCodeAt(0)] = value < 32;
}

function damagedAt(index: number): MapError {
  return new MapError(`its mappings make no sense at character ${index + 1}`);
}

function checkSources(lines: SourceMap["lines"], count: number): void {
  for (const line of lines) {
    for (const segment of line) {
      if (segment[0] < 0) throw new MapError("it maps a column below 0");
      if (segment.length === 1) continue;
      const [, source, originalLine, column] = segment;
      if (source < 0 || source >= count) {
        throw new MapError(`it maps to source ${source} of ${count}`);
      }
      if (originalLine < 0 || column < 0) throw new MapError("it maps to a place below 0");
    }
  }
}

function originalsOf(map: PlainMap, base: string | undefined): SourceMap["originals"][number][] {
  return map.sources.map((source, i) => ({
    url: resolveSource(source ?? "", { root: map.sourceRoot ?? "", base }),
    content: map.sourcesContent?.[i] ?? undefined,
  }));
}

/** URLs of other schemes, as `webpack://`, are names and stay as they are. */
function resolveSource(
  source: string,
  { root, base }: { root: string; base: string | undefined },
): string {
  const name = root === "" ? source : `${root.replace(/\/$/, "")}/${source}`;
  const isName = /^[a-z][a-z0-9+.-]+:/i.test(name) && !/^file:/i.test(name);
  if (isName || source === "") return name;
  try {
    return new URL(name, base).href;
  } catch {
    return name;
  }
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new MapError(`${what} is no object`);
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function printed(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 40);
}
