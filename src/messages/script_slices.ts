/**
 * Cuts the text of a `Profiler.takePreciseCoverage` answer into one slice for each script and keeps the
 * wanted ones. It looks only for marks, among bytes, which takes a fraction of the time of parsing; the
 * agent runs without V8's optimising compilers, as its target does.
 *
 * V8 writes `{"scriptId":"12","url":"...","functions":[...]}` without white space, and escapes quotes within
 * strings. So the mark cannot occur anywhere else.
 *
 * @param text In UTF-8.
 * @param isWanted Takes the script id, and whether the script is the runtime's own.
 * @param options `prefix`: put before each script id; without quotes and backslashes.
 * `first`: a slice that is put before all others.
 * @returns the JSON array of the slices, or undefined if the text is not such an answer.
 */
export function pickScripts(
  text: Buffer,
  isWanted: (scriptId: string, isRuntime: boolean) => boolean,
  options: { prefix?: string; first?: string } = {},
): Buffer | undefined {
  const list = text.indexOf(LIST);
  if (list < 0) return undefined;
  const mark = Buffer.from(MARK + (options.prefix ?? ""));
  const picked: Buffer[] = [OPENING];
  if (options.first) picked.push(Buffer.from(options.first));
  let start = text.indexOf(MARK, list);
  while (start >= 0) {
    const next = text.indexOf(MARK, start + MARK.length);
    const idStart = start + MARK.length;
    const idEnd = text.indexOf(QUOTE, idStart);
    const isRuntime = RUNTIME_URL.equals(text.subarray(idEnd, idEnd + RUNTIME_URL.length));
    if (isWanted(text.toString("latin1", idStart, idEnd), isRuntime)) {
      if (picked.length > 1) picked.push(COMMA);
      // Between two slices there is a comma; after the last, the end of the array.
      picked.push(mark, text.subarray(idStart, next >= 0 ? next - 1 : listEnd(text)));
    }
    start = next;
  }
  picked.push(CLOSING);
  return Buffer.concat(picked);
}

const LIST = Buffer.from('"result":[');
const MARK = Buffer.from('{"scriptId":"');
const RUNTIME_URL = Buffer.from('","url":"node:');
const QUOTE = 0x22;
const OPENING = Buffer.from("[");
const COMMA = Buffer.from(",");
const CLOSING = Buffer.from("]");

/** The end of the array of scripts: only the timestamp and closing braces follow. */
function listEnd(text: Buffer): number {
  return text.lastIndexOf("]");
}
