/** Values as a person reads them at a glance. */

/** What nobody knows. */
export const UNKNOWN = "-";

/** Three digits or more. */
export function decimal(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** `1 script`, `2 scripts`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** How often in a second. */
export function perSecond(rate: number | undefined): string {
  return `${rate === undefined ? UNKNOWN : decimal(rate)}/s`;
}

/** Hours, minutes and seconds. */
export function clock(seconds: number): string {
  const two = (value: number) => String(Math.floor(value) % 60).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(seconds / 60)}:${two(seconds)}`;
}

/** Printable ASCII: a process may call itself anything, and a terminal would do as it says. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}

/**
 * What a terminal acts on instead of showing it: control characters of both kinds, and those that turn the
 * direction of text or break lines.
 */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name, of a script, say, on one line: names are what others have made up. */
export function visible(text: string, replace: (character: string) => string = () => "?"): string {
  return text.replace(CONTROLS, replace);
}

/** A text on one line, for a log: what would not be on it is there as its escape. */
export function onOneLine(text: string): string {
  return visible(text, (character) => character === "\n" ? "\\n" : escape(character));
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The same of a text of several lines and tabs. */
export function visibleLines(text: string): string {
  return visible(text, (character) => character === "\n" || character === "\t" ? character : "?");
}

/** JSON that a terminal shows as it is. */
export function visibleJson(value: unknown): string {
  return visible(
    JSON.stringify(value, null, 2),
    (character) => character === "\n" ? character : escape(character),
  );
}
