import { createReadStream } from "node:fs";
import * as v from "valibot";
import { check, checkJson, ShapeError } from "../base/shape.ts";
import { type Entry, entryOf, FORMAT, HEADER, type Header } from "./entry.ts";
import { UserError } from "../base/user_error.ts";

/** A recording that is being read. */
export interface Recording {
  readonly header: Header;
  /** In the file's order; to be read once. */
  readonly entries: AsyncIterable<NumberedEntry>;
  /** Whether the last line is cut short; valid once all entries were read. */
  readonly isCut: boolean;
}

/** An entry, and the number of its line. */
export interface NumberedEntry {
  readonly line: number;
  readonly entry: Entry;
}

/** UTF-16 units of the longest line: a message's bytes, and more than there are targets. */
const MOST_UNITS = 32 * 1024 * 1024;

/**
 * Opens a recording.
 *
 * @throws one line for the user when it cannot be read or is no recording. To read the entries throws, too,
 * when any line but the last is damaged.
 */
export async function readRecording(path: string): Promise<Recording> {
  const lines = linesOf(path);
  const refuse = (reason: string) =>
    new UserError(`Cannot replay ${path}: ${reason}; make one with 'kcovfs mount --record FILE'`);
  const next = async (): Promise<string | undefined> => {
    try {
      const { done, value } = await lines.next();
      return done ? undefined : value;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw refuse(code === "ENOENT" ? "no such file" : message);
    }
  };
  let header: Header;
  try {
    header = headerOf(await next() ?? "", refuse);
  } catch (error) {
    await lines.return(undefined);
    throw error;
  }
  let isCut = false;
  async function* read(): AsyncGenerator<NumberedEntry> {
    let damage = "";
    try {
      for (let number = 2;; number++) {
        const line = await next();
        if (line === undefined) return;
        if (isCut) throw refuse(`line ${number - 1} is damaged: ${damage}`);
        try {
          const entry = entryOf(checkJson(OBJECT, line));
          if (entry) yield { line: number, entry };
        } catch (error) {
          if (!(error instanceof ShapeError)) throw error;
          isCut = true;
          damage = error.message;
        }
      }
    } finally {
      await lines.return(undefined);
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

function headerOf(line: string, refuse: (reason: string) => Error): Header {
  const header = parse(line);
  if (header?.recording !== "kcovfs") throw refuse("it is no recording");
  if (header.format !== FORMAT) {
    throw refuse(`it is of format ${header.format}, written by kcovfs ${header.version}`);
  }
  try {
    return check(HEADER, header);
  } catch (error) {
    throw refuse(`its first line is damaged: ${(error as Error).message}`);
  }
}

/**
 * The lines of a file. They end at line feeds and nowhere else: JSON may contain U+2028, where `readline`
 * ends a line, too.
 */
async function* linesOf(path: string): AsyncGenerator<string, undefined> {
  let pieces: string[] = [];
  let units = 0;
  for await (const chunk of createReadStream(path, { encoding: "utf8" }) as AsyncIterable<string>) {
    const [first, ...others] = chunk.split("\n");
    pieces.push(first);
    units += first.length;
    if (units > MOST_UNITS) throw new Error(`a line is longer than ${MOST_UNITS} characters`);
    for (const other of others) {
      yield pieces.join("");
      pieces = [other];
      units = other.length;
    }
  }
  if (units > 0) yield pieces.join("");
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return checkJson(OBJECT, line);
  } catch {
    return undefined;
  }
}

/** A line, before its kind is known. */
const OBJECT = v.record(v.string(), v.unknown());
