/** Where a script says that its source map is. */

const NAME = "sourceMappingURL=";
/** What may follow the comment: blanks and comments, until the source ends. */
const REST = /^(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)*$/;

/**
 * The URL in the last comment of the form `//# sourceMappingURL=URL`, with `#` or `@`, after which no
 * code follows; undefined where there is none, or an empty one.
 *
 * V8 wants a blank after `#`, and takes no URL that is quoted or has a blank in it
 * (`Scanner::TryToParseMagicComment` in `parsing/scanner.cc`). ECMA-426 takes comments of several lines
 * too, and none that code follows (`JavaScriptExtractSourceMapURL`).
 */
export function findMapUrl(source: string): string | undefined {
  const at = source.lastIndexOf(NAME);
  if (at < 0) return undefined;
  const opening = /\/([/*])[#@][ \t]+$/.exec(source.slice(Math.max(0, at - 32), at));
  if (!opening) return undefined;
  const isLine = opening[1] === "/";
  const from = at + NAME.length;
  const to = isLine ? lineEnd(source, from) : source.indexOf("*/", from);
  if (to < 0) return undefined;
  const url = source.slice(from, to).trim();
  if (url === "" || hasBlankOrQuote(url)) return undefined;
  return REST.test(source.slice(isLine ? to : to + 2)) ? url : undefined;
}

function lineEnd(source: string, from: number): number {
  const ends = /[\n\r\u2028\u2029]/g;
  ends.lastIndex = from;
  return ends.exec(source)?.index ?? source.length;
}

function hasBlankOrQuote(url: string): boolean {
  return /[\s"']/.test(url);
}
