import * as fs from "node:fs";
import * as path from "node:path";
import { withFileLock } from "./file_lock.ts";
import { BLOCKS, findFree, firstEndingAfter, preferredBase, type Segment } from "./pc_space.ts";

/** A script whose blocks have PCs. */
export interface SymbolSegment extends Segment {
  readonly url: string;
  /** SHA-256 of the source, in hex. */
  readonly hash: string;
  /** Where in the file the blocks' positions stand, and their bytes. */
  readonly positionsAt: number;
  readonly positionsLength: number;
}

/** A script that is to get PCs. */
export interface NewSymbols {
  readonly url: string;
  readonly hash: string;
  /** Four numbers a block: line and column of its start and of its end, both counted from 1. */
  readonly positions: Uint32Array;
}

/** Where a block stands in its source. */
export interface SymbolPosition {
  readonly url: string;
  /** `line.column,line.column`, of its start and its end. */
  readonly range: string;
}

const MAGIC = "kcovfs1";
const NEWLINE = 10;

/**
 * The blocks that have ever been given a PC, in a file that is only appended to, so that PCs outlive
 * restarts and corpora stay valid. A line a script:
 *
 *     kcovfs1 TAB base TAB count TAB hash TAB "url" TAB 1.1,9.2 3.4,3.10 ...
 *
 * Several servers may share the file: it is locked while a script is added, and what others have added
 * is read first. A line that was torn by a crash is the last one, and is cut off before the next
 * addition.
 */
export class SymbolTable implements Disposable {
  readonly #fd: number;
  readonly #byKey = new Map<string, SymbolSegment>();
  /** By ascending base. */
  #segments: SymbolSegment[] = [];
  /** Bytes of the file that have been read. */
  #size = 0;
  #damaged = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Opens a table, or begins one.
   *
   * @param file Its path; folders are made as needed.
   * @param options `isReadOnly`: for those who only look up; nothing is repaired.
   */
  static open(file: string, options: { isReadOnly?: boolean } = {}): SymbolTable {
    if (options.isReadOnly) {
      const table = new SymbolTable(fs.openSync(file, "r"));
      table.#refresh();
      return table;
    }
    makeFolder(path.dirname(file));
    const table = new SymbolTable(fs.openSync(file, "a+", 0o644));
    withFileLock(table.#fd, () => table.#repair());
    return table;
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }

  /** Lines that make no sense; they are kept in the file and ignored. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Scripts by ascending PC. */
  get segments(): readonly SymbolSegment[] {
    return this.#segments;
  }

  /** Reads what has been appended, up to the last whole line. */
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
  }

  /** Under the lock: whoever tore the last line is no longer writing it. */
  #repair(): void {
    this.#refresh();
    if (fs.fstatSync(this.#fd).size > this.#size) fs.ftruncateSync(this.#fd, this.#size);
  }

  find(script: { url: string; hash: string }): SymbolSegment | undefined {
    return this.#byKey.get(keyOf(script));
  }

  /**
   * Gives a script its PCs, or finds those that it has: when this returns they are on disk.
   *
   * @throws {RangeError} when the PC space is full.
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
    if (base < 0) {
      throw new RangeError(`Cannot give ${count} blocks of ${url} PCs: no room is left`);
    }
    const head = `${MAGIC}\t${base}\t${count}\t${hash}\t${JSON.stringify(url)}\t`;
    const line = Buffer.from(`${head}${formatPositions(script.positions)}\n`);
    for (let at = 0; at < line.length;) at += fs.writeSync(this.#fd, line, at);
    fs.fdatasyncSync(this.#fd);
    this.#refresh();
    return this.find(script)!;
  }

  /** Looks a block up by its number. */
  locate(block: number): SymbolPosition | undefined {
    const segment = this.#segments[firstEndingAfter(this.#segments, block)];
    if (!segment || segment.base > block) return undefined;
    return { url: segment.url, range: this.positions(segment)[block - segment.base] };
  }

  /** The positions of all blocks of a script, in order. */
  positions(segment: SymbolSegment): string[] {
    const { positionsAt: at, positionsLength: length } = segment;
    return readFully(this.#fd, { at, length }).toString("latin1").split(" ");
  }
}

function keyOf(script: { url: string; hash: string }): string {
  return `${script.hash} ${script.url}`;
}

function formatPositions(positions: Uint32Array): string {
  const parts: string[] = [];
  for (let i = 0; i < positions.length; i += 4) {
    const [line, column, endLine, endColumn] = positions.subarray(i, i + 4);
    parts.push(`${line}.${column},${endLine}.${endColumn}`);
  }
  return parts.join(" ");
}

/** @param at Where the line begins in the file. */
function parseLine(line: Buffer, at: number): SymbolSegment | undefined {
  const tabs: number[] = [];
  for (let tab = line.indexOf(9); tab >= 0 && tabs.length < 5; tab = line.indexOf(9, tab + 1)) {
    tabs.push(tab);
  }
  if (tabs.length < 5) return undefined;
  const [magic, base, count, hash, url] = line.toString("utf8", 0, tabs[4]).split("\t");
  const numbers = [base, count].map((digits) => /^\d+$/.test(digits) ? Number(digits) : NaN);
  if (magic !== MAGIC || !(numbers[0] + numbers[1] <= BLOCKS) || !url.startsWith('"')) {
    return undefined;
  }
  try {
    const positionsAt = at + tabs[4] + 1;
    const positionsLength = line.length - tabs[4] - 1;
    return {
      ...{ base: numbers[0], count: numbers[1], hash, url: JSON.parse(url) as string },
      ...{ positionsAt, positionsLength },
    };
  } catch {
    return undefined;
  }
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

/** `mkdirSync` with `recursive` never returns where nothing can be made, as in `/proc` (Node 20). */
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
}
