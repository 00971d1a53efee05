import { createRequire } from "node:module";
import { addedByNode, plainPlaces } from "./block_places.ts";
import { type BlockTable, buildBlockTable } from "./block_table.ts";
import { lineStarts } from "./line_positions.ts";
import { StateError, stateError } from "./state_error.ts";

/** An original of a script, with blocks of its own: those that V8 would have if it ran this. */
export interface OriginalSource {
  readonly table: BlockTable;
  /** See `linePositions`. */
  readonly positions: Uint32Array;
  /** Offsets at which lines start. */
  readonly lines: readonly number[];
  readonly text: string;
  /** The text as JavaScript, and the text that is added at its end; offsets are the same. */
  readonly source: string;
}

/**
 * In maps members begin at modifiers that are stripped with the types; the members' blocks begin after them.
 */
const MODIFIERS =
  /(?:(?:public|private|protected|readonly|override|abstract|declare|accessor|static)\s+)+/y;

/**
 * The offset of a place that a map names.
 *
 * @param place Line and column from 0.
 * @returns -1 where there is no such place.
 */
export function offsetOf(
  { lines, text }: OriginalSource,
  place: { line: number; column: number },
): number {
  const start = lines[place.line];
  const end = lines[place.line + 1] ?? text.length + 1;
  if (start === undefined || start + place.column >= end) return -1;
  MODIFIERS.lastIndex = start + place.column;
  return MODIFIERS.test(text) ? MODIFIERS.lastIndex : start + place.column;
}

/**
 * Parses an original.
 *
 * TypeScript is read as Node runs it: blanks replace its types, so that everything else stays in its place. In
 * compiled and bundled scripts more text follows, so text is added here, too, as Node does it: code after a
 * last statement is a block then.
 *
 * @returns undefined where it is neither JavaScript nor TypeScript whose types can just be left out.
 * @throws {StateError} when this process can open no file now.
 */
export function parseOriginal(url: string, content: string): OriginalSource | undefined {
  try {
    const added = addedByNode(url);
    const source = (isTypeScript(url) ? stripTypes(content) : content) + added;
    const table = buildBlockTable(source);
    const { positions } = plainPlaces({ url, source }, table);
    return { table, positions, lines: lineStarts(content), text: content, source };
  } catch (error) {
    if (error instanceof StateError) throw error;
    return undefined;
  }
}

function isTypeScript(url: string): boolean {
  return /\.[cm]?ts(?:[?#].*)?$/.test(url);
}

type Transform = (source: string, options: { mode: "strip-only" }) => { code: string };

const require = createRequire(import.meta.url);
let file: string | undefined;
let transform: Transform | undefined;

/**
 * Finds Amaro, the package by which Node strips types. If Node 20 has looked for a package while the process
 * had no descriptor left, it never finds it later.
 */
export function findAmaro(): string {
  return file ??= require.resolve("amaro");
}

/** Loads it at first use, since that takes 80 ms. @throws {StateError} when it cannot be loaded now. */
function loadTransform(): Transform {
  const amaro = findAmaro();
  try {
    return (require(amaro) as { transformSync: Transform }).transformSync;
  } catch (error) {
    throw stateError(error);
  }
}

/**
 * TypeScript without its types, everything else in its place.
 *
 * @throws when the types cannot just be left out.
 */
export function stripTypes(source: string): string {
  transform ??= loadTransform();
  const { code } = transform(source, { mode: "strip-only" });
  // Characters of several bytes may have become more than one blank.
  if (code.length !== source.length) throw new RangeError("types were not replaced in place");
  return code;
}
