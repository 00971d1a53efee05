/** Words for inputs, from the scripts that read them, as fuzzers take them. */
import type { Found } from "./entry.ts";
import { scriptLiterals } from "./script_literals.ts";

/** Entries, at most. */
const MOST_ENTRIES = 512;

/** Some bytes, by all the places that have them. */
interface Known {
  readonly bytes: Uint8Array;
  nearness: number;
  places: number;
}

/** How a dictionary is made. */
export interface DictionaryOptions {
  /** Entries, at most; 512 unless given. */
  readonly most?: number;
}

/**
 * Makes a dictionary of scripts' texts: each entry once, those that stand nearest to a decision first; of
 * those as near the rare ones, then the short ones.
 *
 * @returns also how many of the texts could not be parsed.
 */
export function makeDictionary(
  sources: Iterable<string>,
  { most = MOST_ENTRIES }: DictionaryOptions = {},
): { entries: Uint8Array[]; unread: number } {
  const known = new Map<string, Known>();
  let unread = 0;
  for (const source of sources) {
    try {
      for (const found of scriptLiterals(source)) add(known, found);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      unread++;
    }
  }
  const ranked = [...known.values()].sort((a, b) =>
    a.nearness - b.nearness || rarity(a) - rarity(b) || a.bytes.length - b.bytes.length
  );
  return { entries: ranked.slice(0, most).map(({ bytes }) => bytes), unread };
}

function add(known: Map<string, Known>, { bytes, nearness }: Found): void {
  const key = String.fromCharCode(...bytes);
  const before = known.get(key);
  if (before) {
    before.places++;
    before.nearness = Math.min(before.nearness, nearness);
  } else known.set(key, { bytes, nearness, places: 1 });
}

/** The logarithm of the places: of one is rarer than of two, of nine about as rare as of ten. */
function rarity({ places }: Known): number {
  return Math.floor(Math.log2(places));
}

/** The text that AFL++ and libFuzzer read: an entry a line, in quotes. */
export function dictionaryText(entries: readonly Uint8Array[]): string {
  return entries.map((bytes) => `"${[...bytes].map(quoted).join("")}"\n`).join("");
}

function quoted(byte: number): string {
  const unit = String.fromCharCode(byte);
  if (unit === '"' || unit === "\\") return `\\${unit}`;
  return byte >= 0x20 && byte < 0x7f ? unit : `\\x${byte.toString(16).padStart(2, "0")}`;
}
