/** Formats values so that a person reads them at a glance. */

/** Stands for a value that nobody knows. */
export const UNKNOWN = "-";

/** A number with at least three digits. */
export function decimal(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** `1 script`, `2 scripts`. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** A rate: times a second. */
export function perSecond(rate: number | undefined): string {
  return `${rate === undefined ? UNKNOWN : decimal(rate)}/s`;
}

/** Hours, minutes and seconds. */
export function clock(seconds: number): string {
  const two = (value: number) => String(Math.floor(value) % 60).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(seconds / 60)}:${two(seconds)}`;
}

/** Keeps printable ASCII: a process may call itself anything, and a terminal would act on it. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}

/**
 * Characters that a terminal acts on instead of showing them: control characters of both kinds, and those that
 * change the direction of text or break lines.
 */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name, for example a script's, on one line: others have made it up. */
export function visible(text: string, replace: (character: string) => string = () => "?"): string {
  return text.replace(CONTROLS, replace);
}

/** A text on one line, for a log: characters that would break the line are escaped. */
export function onOneLine(text: string): string {
  return visible(text, (character) => character === "\n" ? "\\n" : escape(character));
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The same for a text of several lines and tabs. */
export function visibleLines(text: string): string {
  return visible(text, (character) => character === "\n" || character === "\t" ? character : "?");
}

/** JSON that a terminal shows unchanged. */
export function visibleJson(value: unknown): string {
  return visible(
    JSON.stringify(value, null, 2),
    (character) => character === "\n" ? character : escape(character),
  );
}
