import * as fs from "node:fs";
import * as path from "node:path";
import * as v from "valibot";
import { check, index, named, record, texts } from "../base/shape.ts";
import type { BlockPlaces } from "../blocks/block_places.ts";
import { withFileLock } from "./file_lock.ts";
import {
  type BlockNumber,
  BLOCKS,
  findFree,
  firstEndingAfter,
  preferredBase,
  type Segment,
} from "./pc_space.ts";

/** A script whose blocks have PCs. */
export interface SymbolSegment extends Segment {
  readonly url: string;
  /** SHA-256 of the source, in hex. */
  readonly hash: string;
  /** Its originals, by its source map. */
  readonly files: readonly string[];
  /** The offset of the blocks' positions in the file, and their bytes. */
  readonly positionsAt: number;
  readonly positionsLength: number;
}

/** A script without PCs, which gets some. */
export interface NewSymbols extends BlockPlaces {
  readonly url: string;
  readonly hash: string;
}

/** The place of a block. */
export interface SymbolPosition {
  /** The URL of the script, or of the original that its source map names. */
  readonly url: string;
  /** `line.column,line.column`, of its start and its end. */
  readonly range: string;
  /** Whether it is a place in the original. A file that was compiled in place shares the script's URL. */
  readonly isOriginal: boolean;
}

/** Begin lines: of scripts all of whose blocks stand in the script itself, and of others. */
const PLAIN = "kcovfs1";
const MAPPED = "kcovfs2";
/** Modes of what is made, whatever the umask: anybody may look PCs up, only the owner gives them out. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
const NEWLINE = 10;
const TAB = 9;
/** Replaces a place that is missing in a damaged line. */
const NOWHERE = "1.1,1.1";

/**
 * The blocks that have ever got a PC, in a file that is only appended to, so that PCs outlive restarts and
 * corpora stay valid. Each script has one line. The second kind is for scripts that a source map places in
 * other files; the first file of the list has number 1:
 *
 *     kcovfs1 TAB base TAB count TAB hash TAB "url" TAB 1.1,9.2 3.4,3.10 ...
 *     kcovfs2 TAB base TAB count TAB hash TAB "url" TAB ["file",...] TAB 1.1,9.2 1:3.4,3.10 ...
 *
 * The blocks' places are written once, when the script gets its PCs: its map may be gone tomorrow.
 *
 * Several servers may share the file: it is locked while a script is added, and the additions of others are
 * read first. A line that was torn by a crash is the last one, and is cut off before the next addition.
 */
export class SymbolTable implements Disposable {
  readonly #fd: number;
  readonly #byKey = new Map<string, SymbolSegment>();
  /** By ascending base. */
  #segments: SymbolSegment[] = [];
  /** The bytes of the file that have been read. */
  #size = 0;
  #damaged = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Opens a table, or begins one.
   *
   * @param file Its path; folders are made as needed.
   * @param options `isReadOnly`: for lookups only; nothing is repaired.
   */
  static open(file: string, options: { isReadOnly?: boolean } = {}): SymbolTable {
    if (options.isReadOnly) {
      const table = new SymbolTable(fs.openSync(file, "r"));
      table.#refresh();
      return table;
    }
    makeFolder(path.dirname(file));
    const fd = fs.openSync(file, "a+", 0o644);
    keepMode(fd, FILE_MODE);
    const table = new SymbolTable(fd);
    withFileLock(table.#fd, () => table.#repair());
    return table;
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }

  /** The number of lines that make no sense; they stay in the file and are ignored. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Scripts by ascending PC. */
  get segments(): readonly SymbolSegment[] {
    return this.#segments;
  }

  /** Reads the additions to the file, up to the last whole line. */
  #refresh(): void {
    const { size } = fs.fstatSync(this.#fd);
    if (size <= this.#size) return;
    const bytes = readFully(this.#fd, { at: this.#size, length: size - this.#size });
    const added: SymbolSegment[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const segment = parseLine(bytes.subarray(start, end), this.#size + start);
      if (segment && !this.#byKey.has(keyOf(segment))) {
        this.#byKey.set(keyOf(segment), segment);
        added.push(segment);
      } else if (!segment) this.#damaged++;
      start = end + 1;
    }
    this.#size += start;
    if (added.length === 0) return;
    this.#segments = [...this.#segments, ...added].sort((a, b) => a.base - b.base);
    if (overlap(this.#segments)) this.#dropOverlapping();
  }

  /** A PC belongs to one script: if lines claim the same, the first in the file counts. */
  #dropOverlapping(): void {
    let kept: SymbolSegment[] = [];
    for (const segment of this.#segments.sort((a, b) => a.positionsAt - b.positionsAt)) {
      const { base, count } = segment;
      const next = firstEndingAfter(kept, base);
      if (kept[next] && kept[next].base < base + count) {
        this.#byKey.delete(keyOf(segment));
        this.#damaged++;
      } else kept = kept.toSpliced(next, 0, segment);
    }
    this.#segments = kept;
  }

  /** Runs under the lock: nobody is still writing a last line that is torn. */
  #repair(): void {
    this.#refresh();
    if (fs.fstatSync(this.#fd).size > this.#size) fs.ftruncateSync(this.#fd, this.#size);
  }

  find(script: { url: string; hash: string }): SymbolSegment | undefined {
    return this.#byKey.get(keyOf(script));
  }

  /**
   * Gives a script its PCs, or finds those that it has. When this returns they are on disk.
   *
   * @throws {RangeError} when the PC space is full.
   * @throws {Error} when the file cannot be read or written now: it may be tried again.
   */
  add(script: NewSymbols): SymbolSegment {
    return this.find(script) ?? withFileLock(this.#fd, () => {
      this.#repair();
      return this.find(script) ?? this.#append(script);
    });
  }

  #append(script: NewSymbols): SymbolSegment {
    const { url, hash } = script;
    const count = script.positions.length / 4;
    const preferred = preferredBase({ url, hash, count });
    const base = findFree(this.#segments, { preferred, count });
    if (base === undefined) {
      throw new RangeError(`Cannot give ${count} blocks of ${url} PCs: no room is left`);
    }
    this.#write(Buffer.from(formatLine(script, base, count)));
    this.#refresh();
    return this.find(script)!;
  }

  /** Takes back a line that cannot be written and synced as a whole: the line must not belong to any script. */
  #write(line: Buffer): void {
    try {
      for (let at = 0; at < line.length;) at += fs.writeSync(this.#fd, line, at);
      fs.fdatasyncSync(this.#fd);
    } catch (error) {
      try {
        fs.ftruncateSync(this.#fd, this.#size);
      } catch {
        // A torn line is the last one, and is cut off before the next addition.
      }
      throw error;
    }
  }

  /** Looks a block up by its number. */
  locate(block: BlockNumber): SymbolPosition | undefined {
    const segment = this.#segments[firstEndingAfter(this.#segments, block)];
    if (!segment || segment.base > block) return undefined;
    return placeOf(segment, this.#places(segment)[block - segment.base]);
  }

  /**
   * The places of a script's blocks, in order; for a damaged line at most as many as it can have places for.
   */
  positions(segment: SymbolSegment): SymbolPosition[] {
    const places = this.#places(segment);
    const length = Math.min(segment.count, segment.positionsLength + 1);
    return Array.from({ length }, (_, i) => placeOf(segment, places[i]));
  }

  #places(segment: SymbolSegment): string[] {
    const { positionsAt: at, positionsLength: length } = segment;
    return readFully(this.#fd, { at, length }).toString("latin1").split(" ");
  }
}

/** @param place `line.column,line.column`, after the number of its file and a colon if it has one. */
function placeOf({ url, files }: SymbolSegment, place = NOWHERE): SymbolPosition {
  const colon = place.indexOf(":");
  if (colon < 0) return { url, range: place, isOriginal: false };
  const file = files[Number(place.slice(0, colon)) - 1];
  return { url: file ?? url, range: place.slice(colon + 1), isOriginal: file !== undefined };
}

/** @param segments By ascending base. */
function overlap(segments: readonly SymbolSegment[]): boolean {
  return segments.some(({ base }, i) => {
    const before = segments[i - 1];
    return before !== undefined && before.base + before.count > base;
  });
}

function keyOf(script: { url: string; hash: string }): string {
  return `${script.hash} ${script.url}`;
}

function formatLine(script: NewSymbols, base: BlockNumber, count: number): string {
  const { hash, url, positions } = script;
  const { files, fileOf } = usedFiles(script);
  const fields = [base, count, hash, JSON.stringify(url)];
  if (files.length > 0) fields.push(JSON.stringify(files));
  const places: string[] = [];
  for (let i = 0; i < count; i++) {
    const [line, column, endLine, endColumn] = positions.subarray(4 * i, 4 * i + 4);
    const prefix = fileOf[i] === 0 ? "" : `${fileOf[i]}:`;
    places.push(`${prefix}${line}.${column},${endLine}.${endColumn}`);
  }
  const magic = files.length > 0 ? MAPPED : PLAIN;
  return `${[magic, ...fields, places.join(" ")].join("\t")}\n`;
}

/** Leaves out files without blocks: a map may name thousands of them. */
function usedFiles({ files, fileOf }: BlockPlaces): Pick<BlockPlaces, "files" | "fileOf"> {
  const numbers = new Map<number, number>([[0, 0]]);
  const used = fileOf.map((file) => {
    const number = numbers.get(file) ?? numbers.size;
    numbers.set(file, number);
    return number;
  });
  return { files: [...numbers.keys()].slice(1).map((file) => files[file - 1]), fileOf: used };
}

/** @param at The line's offset in the file. */
function parseLine(line: Buffer, at: number): SymbolSegment | undefined {
  const isMapped = line.toString("latin1", 0, MAPPED.length + 1) === `${MAPPED}\t`;
  const tabs: number[] = [];
  for (let tab = line.indexOf(TAB); tab >= 0; tab = line.indexOf(TAB, tab + 1)) {
    if (tabs.push(tab) === (isMapped ? 6 : 5)) break;
  }
  const last = tabs[isMapped ? 5 : 4];
  if (last === undefined) return undefined;
  const [magic, base, count, hash, url, list = "[]"] = line.toString("utf8", 0, last).split("\t");
  if (!isMapped && magic !== PLAIN) return undefined;
  try {
    return {
      ...check(LINE, {
        ...{ base: numberOf(base), count: numberOf(count), hash },
        ...{ url: JSON.parse(url), files: JSON.parse(list) },
      }),
      ...{ positionsAt: at + last + 1, positionsLength: line.length - last - 1 },
    };
  } catch {
    return undefined;
  }
}

/** The content of a line, without the places. */
const LINE = v.pipe(
  record({
    base: named<BlockNumber>(),
    count: v.pipe(index, v.minValue(1)),
    hash: v.string(),
    url: v.string(),
    files: texts,
  }),
  v.check(({ base, count }) => base + count <= BLOCKS),
);

function numberOf(digits: string): number {
  return /^\d+$/.test(digits) ? Number(digits) : NaN;
}

function readFully(fd: number, range: { at: number; length: number }): Buffer {
  const bytes = Buffer.alloc(range.length);
  let done = 0;
  while (done < range.length) {
    const size = fs.readSync(fd, bytes, done, range.length - done, range.at + done);
    if (size === 0) break;
    done += size;
  }
  return bytes.subarray(0, done);
}

/** `mkdirSync` with `recursive` never returns where it can make nothing, as in `/proc` (Node 20). */
function makeFolder(folder: string): void {
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || fs.existsSync(path.dirname(folder))) throw error;
    makeFolder(path.dirname(folder));
    fs.mkdirSync(folder);
  }
  fs.chmodSync(folder, FOLDER_MODE);
}

/** Sets the permissions of a file that this process may just have made, whatever the umask. */
function keepMode(fd: number, mode: number): void {
  const { uid, mode: current, size } = fs.fstatSync(fd);
  if (size === 0 && uid === process.geteuid?.() && (current & 0o777) !== mode) {
    fs.fchmodSync(fd, mode);
  }
}
