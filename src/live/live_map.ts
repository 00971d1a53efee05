import type { LiveScript } from "./live_plan.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * The source map of a script with insertions, version 3, without the source. Lines are those of the source.
 *
 * @param wanted The blocks whose insertions are made.
 */
export function liveMap(
  { source, url, script }: { source: string; url: string; script: LiveScript },
  wanted: ReadonlySet<number>,
): string {
  const lines: string[] = [];
  const { at, text, block } = script;
  let next = 0;
  let from = 0;
  let before = { column: 0, line: 0 };
  const ends = /\r\n|[\n\r\u2028\u2029]/g;
  for (let line = 0; from <= source.length; line++) {
    const end = ends.exec(source);
    const to = end ? end.index + end[0].length : source.length + 1;
    const segments: string[] = [];
    let shift = 0;
    let written = 0;
    const add = (column: number) => {
      const generated = column + shift;
      segments.push(
        digits(generated - written) + "A" + digits(line - before.line) +
          digits(column - before.column),
      );
      written = generated;
      before = { line, column };
    };
    for (const { index } of source.slice(from, to).matchAll(/[\w$]+|[^\w$\s]/g)) {
      for (; next < at.length && at[next] <= from + index; next++) {
        if (wanted.has(block[next])) shift += text[next].length;
      }
      add(index);
    }
    for (; next < at.length && at[next] < to; next++);
    lines.push(segments.join(","));
    if (!end) break;
    from = to;
  }
  const map = { version: 3, sources: [url], names: [], mappings: lines.join(";") };
  return JSON.stringify(map);
}

/** A number in base 64, its sign in the lowest bit: a VLQ. */
function digits(value: number): string {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let written = "";
  do {
    const low = rest & 31;
    rest >>>= 5;
    written += DIGITS[rest > 0 ? low | 32 : low];
  } while (rest > 0);
  return written;
}
