/** Finds the URL that a script gives for its source map. */

const NAME = "sourceMappingURL=";
/** How many mentions of the name that are no such comment are passed over, from the end on. */
const MOST_MENTIONS = 16;

/**
 * The URL in the last comment of the form `//# sourceMappingURL=URL`, with `#` or `@`, after which no
 * code follows; undefined where there is none, or an empty one.
 *
 * V8 wants a blank after `#`, and takes no URL that is quoted or has a blank in it
 * (`Scanner::TryToParseMagicComment` in `parsing/scanner.cc`). ECMA-426 takes comments of several lines
 * too, but no comment that code follows (`JavaScriptExtractSourceMapURL`).
 */
export function findMapUrl(source: string): string | undefined {
  let at = source.lastIndexOf(NAME);
  for (let mention = 0; mention < MOST_MENTIONS && at >= 0; mention++) {
    const comment = commentAt(source, at);
    if (comment) return isEndedBy(source, comment.end) ? comment.url : undefined;
    at = at === 0 ? -1 : source.lastIndexOf(NAME, at - 1);
  }
  return undefined;
}

/** The comment around a mention of the name at an offset, if it has that form. */
function commentAt(source: string, at: number): { url: string; end: number } | undefined {
  const opening = /\/([/*])[#@][ \t]+$/.exec(source.slice(Math.max(0, at - 32), at));
  if (!opening) return undefined;
  const from = at + NAME.length;
  const isLine = opening[1] === "/";
  const to = isLine ? lineEnd(source, from) : source.indexOf("*/", from);
  if (to < 0) return undefined;
  const url = source.slice(from, to).trim();
  if (url === "" || /[\s"']/.test(url)) return undefined;
  return { url, end: isLine ? to : to + 2 };
}

function lineEnd(source: string, from: number): number {
  const ends = /[\n\r\u2028\u2029]/g;
  ends.lastIndex = from;
  return ends.exec(source)?.index ?? source.length;
}

/** Whether only blanks and comments follow. */
function isEndedBy(source: string, from: number): boolean {
  const skipped = /\s+|\/\/[^\n\r\u2028\u2029]*/y;
  let at = from;
  while (at < source.length) {
    skipped.lastIndex = at;
    if (skipped.test(source)) at = skipped.lastIndex;
    else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      if (end < 0) return false;
      at = end + 2;
    } else return false;
  }
  return true;
}
