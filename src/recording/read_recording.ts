import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type Entry, FORMAT, type Header } from "./entry.ts";

/** A recording that is being read. */
export interface Recording {
  readonly header: Header;
  /** In the file's order; to be read once. */
  readonly entries: AsyncIterable<Entry>;
  /** Whether the last line is cut short; known when all entries were read. */
  readonly isCut: boolean;
}

/**
 * Opens a recording.
 *
 * @throws one line for the user when it cannot be read or is none; so does reading the entries when a
 * line but the last is damaged.
 */
export async function readRecording(path: string): Promise<Recording> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  const iterator = lines[Symbol.asyncIterator]();
  const refuse = (reason: string) =>
    new Error(`Cannot replay ${path}: ${reason}; make one with 'kcovfs mount --record FILE'`);
  let first: IteratorResult<string>;
  try {
    first = await iterator.next();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw refuse(code === "ENOENT" ? "no such file" : message);
  }
  const header = first.done ? undefined : parse<Header>(first.value);
  if (header?.recording !== "kcovfs") throw refuse("it is no recording");
  if (header.format !== FORMAT) {
    throw refuse(`it is of format ${header.format}, written by kcovfs ${header.version}`);
  }
  let isCut = false;
  async function* read(): AsyncGenerator<Entry> {
    for (let number = 2;; number++) {
      const { done, value } = await iterator.next();
      if (done) return;
      if (isCut) throw refuse(`line ${number - 1} is damaged`);
      const entry = parse<Entry>(value);
      if (entry) yield entry;
      else isCut = true;
    }
  }
  return {
    header,
    entries: read(),
    get isCut() {
      return isCut;
    },
  };
}

function parse<T>(line: string): T | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as T : undefined;
  } catch {
    return undefined;
  }
}
