/**
 * Cuts the text of a `Profiler.takePreciseCoverage` answer into one slice a script and keeps those that
 * somebody wants. It looks for texts only, which takes a fraction of the time of parsing.
 *
 * V8 writes `{"scriptId":"12","url":"...","functions":[...]}` without white space, and a quote within a
 * string is escaped, so that the mark cannot occur anywhere else.
 *
 * @param isWanted By script id and the rest of the slice's text, which begins with the URL.
 * @returns the JSON array of the slices, or undefined when the text is not such an answer.
 */
export function pickScripts(
  text: string,
  isWanted: (scriptId: string, isRuntime: boolean) => boolean,
): string | undefined {
  const list = text.indexOf('"result":[');
  if (list < 0) return undefined;
  const picked: string[] = [];
  let start = text.indexOf(MARK, list);
  while (start >= 0) {
    const next = text.indexOf(MARK, start + MARK.length);
    const idEnd = text.indexOf('"', start + MARK.length);
    const isRuntime = text.startsWith(RUNTIME_URL, idEnd);
    if (isWanted(text.slice(start + MARK.length, idEnd), isRuntime)) {
      // Between two slices stands a comma; after the last, the end of the array.
      picked.push(next >= 0 ? text.slice(start, next - 1) : text.slice(start, listEnd(text)));
    }
    start = next;
  }
  return `[${picked.join(",")}]`;
}

const MARK = '{"scriptId":"';
const RUNTIME_URL = '","url":"node:';

/** Where the array of the scripts ends: it is followed by the timestamp and closing braces only. */
function listEnd(text: string): number {
  return text.lastIndexOf("]");
}
