import { parseFlatJson } from "../base/flat_json.ts";
import { isScriptCoverage, ScriptReport } from "./script_report.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const CLOSING_BRACE = 0x7d;
const COLON = 0x3a;

const SCRIPT_ID = bytesOf('{"scriptId":');
const URL = bytesOf(',"url":');
const FUNCTIONS = bytesOf(',"functions":');
const FUNCTION_NAME = bytesOf('{"functionName":');
const RANGES = bytesOf(',"ranges":');
const START_OFFSET = bytesOf('{"startOffset":');
const END_OFFSET = bytesOf(',"endOffset":');
const COUNT = bytesOf(',"count":');
const IS_BLOCK_COVERAGE = bytesOf(',"isBlockCoverage":');
const TRUE = bytesOf("true}");
const FALSE = bytesOf("false}");
const SCRIPT_END = bytesOf("}");

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/**
 * The limits of a text that is not as V8 writes it: its bytes, and its structure. Beyond them `JSON.parse`
 * would keep clients of other targets waiting.
 */
const MOST_DEVIATING_BYTES = 8 * 1024 * 1024;
const DEVIATING_BOUNDS = { depth: 16, marks: 2_000_000 };

/** The text is not as V8 writes it, or not JSON at all. */
class Deviation extends Error {}

/**
 * Reads collections: JSON arrays of V8's script coverages, as UTF-8.
 *
 * V8 writes its keys in one order and no white space (`protocol/Profiler.cpp` as generated), so a
 * collection is read as bytes, in a third of the time of `JSON.parse` (`bench/coverage_reader_bench`).
 * `JSON.parse` reads any text that is written in another way.
 */
export class CoverageReader {
  readonly #report = new ScriptReport();
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  /** The offsets of the names of the current script's functions. */
  #names: number[] = [];

  /**
   * @param each Takes each script's report, which is valid until it returns, and its text.
   * @throws {SyntaxError} when the text is not such an array; `each` has then taken the reports before that
   * place.
   */
  read(bytes: Uint8Array, each: (report: ScriptReport, text: Uint8Array) => void): void {
    this.#bytes = bytes;
    this.#at = 0;
    let taken = 0;
    try {
      this.#list(() => {
        const start = this.#at;
        this.#script();
        taken++;
        each(this.#report, bytes.subarray(start, this.#at));
      });
      if (this.#at !== bytes.length) throw new Deviation();
    } catch (error) {
      if (!(error instanceof Deviation)) throw error;
      this.#readAny(bytes, taken, each);
    } finally {
      this.#bytes = new Uint8Array();
    }
  }

  #readAny(
    bytes: Uint8Array,
    taken: number,
    each: (report: ScriptReport, text: Uint8Array) => void,
  ): void {
    if (bytes.length > MOST_DEVIATING_BYTES) {
      throw new SyntaxError("Cannot read so much that is not as V8 writes it");
    }
    const scripts = parseFlatJson(bytes, DEVIATING_BOUNDS);
    if (!Array.isArray(scripts)) throw new SyntaxError("a collection is no list");
    for (const script of scripts.slice(taken) as unknown[]) {
      if (!isScriptCoverage(script)) {
        throw new SyntaxError("a script's coverage is none of V8's");
      }
      this.#report.fill(script);
      each(this.#report, Buffer.from(JSON.stringify(script)));
    }
  }

  #script(): void {
    const report = this.#report;
    this.#expect(SCRIPT_ID);
    const scriptId = this.#at;
    this.#skipString();
    this.#expect(URL);
    const url = this.#at;
    this.#skipString();
    const names: number[] = this.#names = [];
    report.begin(this.#textAt(scriptId), this.#textAt(url), (index) => this.#textAt(names[index]));
    this.#expect(FUNCTIONS);
    this.#list(() => this.#function());
    this.#expect(SCRIPT_END);
  }

  #function(): void {
    this.#expect(FUNCTION_NAME);
    this.#names.push(this.#at);
    this.#skipString();
    this.#expect(RANGES);
    this.#ranges();
    this.#expect(IS_BLOCK_COVERAGE);
    const isBlockCoverage = this.#bytes[this.#at] === TRUE[0];
    this.#expect(isBlockCoverage ? TRUE : FALSE);
    this.#report.endFunction(isBlockCoverage);
  }

  /**
   * The list of a function's ranges: most of the text. The keys differ in length, so a key's first letter and
   * its colon tell it from every other.
   */
  #ranges(): void {
    const bytes = this.#bytes;
    const report = this.#report;
    if (bytes[this.#at] !== OPENING_BRACKET) throw new Deviation();
    do {
      this.#at++;
      const start = this.#numberAfter(START_OFFSET, 2);
      const end = this.#numberAfter(END_OFFSET, 2);
      const count = this.#numberAfter(COUNT, 2);
      if (bytes[this.#at++] !== CLOSING_BRACE) throw new Deviation();
      report.addRange(start, end, count);
    } while (bytes[this.#at] === COMMA);
    if (bytes[this.#at++] !== CLOSING_BRACKET) throw new Deviation();
  }

  #numberAfter(key: Uint8Array, letter: number): number {
    const bytes = this.#bytes;
    const colon = this.#at + key.length - 1;
    if (bytes[this.#at + letter] !== key[letter] || bytes[colon] !== COLON) throw new Deviation();
    let at = colon + 1;
    let value = bytes[at++] - ZERO;
    if (!(value >= 0 && value <= 9)) throw new Deviation();
    for (let digit; (digit = bytes[at] - ZERO) >= 0 && digit <= 9; at++) value = value * 10 + digit;
    this.#at = at;
    return value;
  }

  #list(element: () => void): void {
    const bytes = this.#bytes;
    if (bytes[this.#at++] !== OPENING_BRACKET) throw new Deviation();
    if (bytes[this.#at] === CLOSING_BRACKET) {
      this.#at++;
      return;
    }
    while (true) {
      element();
      const next = bytes[this.#at++];
      if (next === CLOSING_BRACKET) return;
      if (next !== COMMA) throw new Deviation();
    }
  }

  #expect(text: Uint8Array): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) if (bytes[at++] !== text[i]) throw new Deviation();
    this.#at = at;
  }

  #skipString(): void {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== QUOTE) throw new Deviation();
    this.#at = stringEnd(bytes, this.#at);
    if (this.#at > bytes.length) throw new Deviation();
  }

  #textAt(start: number): string {
    const bytes = this.#bytes;
    const length = stringEnd(bytes, start) - start;
    return parseJson(bytes.subarray(start, start + length)) as string;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  try {
    return JSON.parse(text);
  } catch {
    // The error's message quotes the text, which may be anything, and of several lines.
    throw new SyntaxError("a collection is no JSON");
  }
}

/** Where the JSON string that begins at `start` ends, its quotes included. */
function stringEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (bytes[at] !== QUOTE && at < bytes.length) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}
