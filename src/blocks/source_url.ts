const COMMENT = /\/\/[#@][ \t]sourceURL=[ \t]*([^\n\r\u2028\u2029]*)/g;

/**
 * The name that a script gives itself, in the last comment of the form `//# sourceURL=URL`, which V8 then
 * knows it by; undefined where there is none. One with blanks or quotes in it is none
 * (`Scanner::TryToParseMagicComment` in V8's `parsing/scanner.cc`).
 */
export function findSourceUrl(source: string): string | undefined {
  if (!source.includes("sourceURL=")) return undefined;
  const last = [...source.matchAll(COMMENT)].at(-1)?.[1].trimEnd();
  return last === undefined || last === "" || /[\s"']/.test(last) ? undefined : last;
}
