/** Values as a person reads them at a glance. */

/** What nobody knows. */
export const UNKNOWN = "-";

/** Three digits or more. */
export function decimal(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
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

/** What ends a line, moves a cursor or turns a text around, wherever it is shown. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text on one line, for a log: names in it are others' and may have anything in them. */
export function onOneLine(text: string): string {
  return text.replace(
    CONTROLS,
    (control) =>
      control === "\n" ? "\\n" : `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Printable ASCII: a process may call itself anything, and a terminal would do as it says. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}
