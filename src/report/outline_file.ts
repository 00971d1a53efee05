import type { Location } from "istanbul-lib-coverage";
import { plainPlaces } from "../blocks/block_places.ts";
import { tableOf } from "../blocks/block_table.ts";
import { lineAt, lineStarts } from "../blocks/line_positions.ts";
import { parseOriginal } from "../blocks/original_source.ts";
import { parseSource } from "../blocks/parse_source.ts";
import type { FileOutline } from "./file_coverage.ts";
import { outlineSource } from "./source_outline.ts";

/** A file that blocks stand in. */
export interface ReportedText {
  readonly url: string;
  /** The text that V8 ran, or the original. */
  readonly text: string;
  /** Whether it is the text that V8 ran. */
  readonly isScript: boolean;
}

/** Parses a file of a report; undefined where it is no JavaScript: then only its blocks are reported. */
export function outlineFile({ url, text, isScript }: ReportedText): FileOutline | undefined {
  try {
    const { table, positions, program } = isScript ? scriptOf(url, text) : originalOf(url, text);
    return { table, positions, locate: locator(text), ...outlineSource(program) };
  } catch {
    return undefined;
  }
}

function scriptOf(url: string, source: string) {
  const program = parseSource(source, {});
  const table = tableOf(program, source);
  const { positions } = plainPlaces({ url, source }, table);
  return { table, positions, program };
}

function originalOf(url: string, text: string) {
  const original = parseOriginal(url, text);
  if (!original) throw new SyntaxError(`Cannot parse ${url}`);
  return { ...original, program: parseSource(original.source, {}) };
}

function locator(text: string): (offset: number) => Location {
  const lines = lineStarts(text);
  return (offset) => {
    const line = lineAt(lines, offset);
    return { line: line + 1, column: offset - lines[line] };
  };
}
