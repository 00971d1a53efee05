const COMMENT = /\/\/[#@][ \t]sourceURL=[ \t]*([^\n\r\u2028\u2029]*)/g;

/**
 * The name that a script gives itself, in the last comment of the form `//# sourceURL=URL`; V8 knows it by
 * that name. Undefined where there is none. A name with blanks or quotes in it does not count
 * (`Scanner::TryToParseMagicComment` in V8's `parsing/scanner.cc`).
 */
export function findSourceUrl(source: string): string | undefined {
  if (!source.includes("sourceURL=")) return undefined;
  const last = [...source.matchAll(COMMENT)].at(-1)?.[1].trimEnd();
  return last === undefined || last === "" || /[\s"']/.test(last) ? undefined : last;
}
