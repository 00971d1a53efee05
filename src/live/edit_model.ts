import { type Difference, differences } from "./text_diff.ts";

/** A function of a text, as V8 has it: from its parameters to its end. */
export interface TextFunction {
  readonly start: number;
  readonly end: number;
  /** The same in the new text. */
  readonly newStart: number;
  readonly newEnd: number;
}

/** Characters of lines that differ, from which on V8 does not look within them: its `CHUNK_LEN_LIMIT`. */
export const LONGEST_STRETCH = 800;

/** The differences that V8 finds between two texts: by lines, then by characters. */
export function textDifferences(text: string, newText: string): Difference[] {
  const [lines, newLines] = [linesOf(text), linesOf(newText)];
  let before = 0;
  const most = Math.min(lines.length, newLines.length);
  const [count, newCount] = [lines.length, newLines.length];
  while (before < most && lines[before].text === newLines[before].text) before++;
  let after = 0;
  while (
    after < most - before && lines[count - 1 - after].text === newLines[newCount - 1 - after].text
  ) after++;
  const changed = differences({
    length: count - before - after,
    newLength: newCount - before - after,
    isEqual: (at, newAt) => lines[before + at].text === newLines[before + newAt].text,
  });
  const startOf = (of: readonly Line[], whole: string, line: number) =>
    line < of.length ? of[line].start : whole.length;
  return changed.flatMap(({ start, end, newStart, newEnd }) =>
    charDifferences({ text, newText }, {
      start: startOf(lines, text, before + start),
      end: startOf(lines, text, before + end),
      newStart: startOf(newLines, newText, before + newStart),
      newEnd: startOf(newLines, newText, before + newEnd),
    })
  );
}

interface Line {
  readonly start: number;
  readonly text: string;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const { index, 0: end } of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) {
    const next = index + end.length;
    lines.push({ start, text: text.slice(start, next) });
    start = next;
  }
  lines.push({ start, text: text.slice(start) });
  return lines;
}

function charDifferences(
  { text, newText }: { text: string; newText: string },
  stretch: Difference,
): Difference[] {
  const { start, end, newStart, newEnd } = stretch;
  const [length, newLength] = [end - start, newEnd - newStart];
  if (length >= LONGEST_STRETCH || newLength >= LONGEST_STRETCH) return [stretch];
  const found = differences({
    length,
    newLength,
    isEqual: (at, newAt) => text.charCodeAt(start + at) === newText.charCodeAt(newStart + newAt),
  });
  return found.map((one) => ({
    start: start + one.start,
    end: start + one.end,
    newStart: newStart + one.newStart,
    newEnd: newStart + one.newEnd,
  }));
}

/** The fate of functions when V8 changes a text. */
export interface Outcome {
  /** Indices of functions that V8 does not find again: those that exist go on as they were. */
  readonly lost: ReadonlySet<number>;
  /** Indices of functions that V8 takes for changed. The text outside all functions has the index -1. */
  readonly changed: ReadonlySet<number>;
}

/** @param functions By their starts, and among equals the outer first. */
export function outcomeOf(
  { text, newText }: { text: string; newText: string },
  functions: readonly TextFunction[],
): Outcome {
  const found = textDifferences(text, newText);
  const lost = new Set<number>();
  const changed = new Set<number>();
  /** How far what is at an offset has moved, as V8 sees it; undefined where it does not tell. */
  const ends = found.map(({ end }) => end);
  const moved = (offset: number): number | undefined => {
    const index = upperBound(ends, offset);
    const [last, next] = [found[index - 1], found[index]];
    const isTouched = last?.end === offset || next !== undefined && next.start <= offset;
    return isTouched ? undefined : last ? last.newEnd - last.end : 0;
  };
  for (const [index, { start, end, newStart, newEnd }] of functions.entries()) {
    if (moved(start) !== newStart - start || moved(end) !== newEnd - end) lost.add(index);
  }
  const open: number[] = [];
  let next = 0;
  for (const { start } of found) {
    for (; next < functions.length && functions[next].start < start; next++) {
      while (open.length > 0 && functions[open[open.length - 1]].end <= functions[next].start) {
        open.pop();
      }
      open.push(next);
    }
    while (open.length > 0 && functions[open[open.length - 1]].end <= start) open.pop();
    changed.add(open[open.length - 1] ?? -1);
  }
  return { lost, changed };
}

/** How many of these, ascending, are not above a number. */
function upperBound(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
