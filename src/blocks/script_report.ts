/** V8's report of one function: `Profiler.FunctionCoverage`. */
export interface FunctionCoverage {
  readonly functionName: string;
  /**
   * The function's own range, then the ranges inside it that differ from those around them, as a
   * pre-order. Offsets are UTF-16 units, ends are exclusive.
   */
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
  /** See {@linkcode ScriptReport.isBlockCoverage}. */
  readonly isBlockCoverage: boolean;
}

/** V8's report of one script: `Profiler.ScriptCoverage`. */
export interface ScriptCoverage {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

/** Whether a value is such a report: a value from another process may be anything. */
export function isScriptCoverage(value: unknown): value is ScriptCoverage {
  const { scriptId, url, functions } = (value ?? {}) as Partial<ScriptCoverage>;
  return typeof scriptId === "string" && typeof url === "string" && Array.isArray(functions) &&
    functions.every(isFunctionCoverage);
}

function isFunctionCoverage(value: unknown): boolean {
  const { functionName, ranges, isBlockCoverage } = (value ?? {}) as Partial<FunctionCoverage>;
  return typeof functionName === "string" && typeof isBlockCoverage === "boolean" &&
    Array.isArray(ranges) && ranges.every(isRange);
}

function isRange(value: unknown): boolean {
  const { startOffset, endOffset, count } = (value ?? {}) as Record<string, unknown>;
  return [startOffset, endOffset, count].every((number) => typeof number === "number");
}

/**
 * V8's report of one script, flat: a report is some thousands of numbers, and an object for each three
 * of them costs more than all other work on them. One instance is filled again and again.
 */
export class ScriptReport {
  scriptId = "";
  url = "";
  /** The number of functions. */
  length = 0;
  /** By function: its first range, which also ends the function before. One element more than functions. */
  firstRange = new Uint32Array(1024);
  /**
   * By function: whether V8 has counters for its blocks. Measured on Node 20, 24 and 26, it has none if
   * the function was compiled before coverage started, or came from a code cache, or was never compiled
   * (then the count is 0), or it is an `asm.js` module, or **since its compilation the last session that
   * had enabled the `Debugger` domain disabled it**, or coverage was stopped, even if it was started
   * again. A function without any slot has them.
   */
  isBlockCoverage = new Uint8Array(1024);
  /** By range; see {@linkcode FunctionCoverage.ranges}. */
  start = new Uint32Array(4096);
  end = new Uint32Array(4096);
  /** Counts that are too large for V8's 32-bit number are some other number, but not 0. */
  count = new Uint32Array(4096);
  #names: string[] = [];
  #nameOf: (index: number) => string = (index) => this.#names[index];

  /** Fills it with V8's text as `JSON.parse` returns it. */
  fill({ scriptId, url, functions }: ScriptCoverage): void {
    this.begin(scriptId, url, (index) => this.#names[index]);
    this.#names = functions.map(({ functionName }) => functionName);
    for (const { ranges, isBlockCoverage } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        this.addRange(startOffset, endOffset, count);
      }
      this.endFunction(isBlockCoverage);
    }
  }

  /** @param nameOf Returns a function's name by its index; few are asked for. */
  begin(scriptId: string, url: string, nameOf: (index: number) => string): void {
    this.scriptId = scriptId;
    this.url = url;
    this.length = 0;
    this.#nameOf = nameOf;
    this.firstRange[0] = 0;
    this.#ranges = 0;
  }

  #ranges = 0;

  addRange(start: number, end: number, count: number): void {
    const at = this.#ranges++;
    if (at === this.start.length) this.#growRanges();
    this.start[at] = start;
    this.end[at] = end;
    this.count[at] = count;
  }

  /** Ends the function whose ranges were added. */
  endFunction(isBlockCoverage: boolean): void {
    if (this.length + 1 === this.firstRange.length) this.#growFunctions();
    this.isBlockCoverage[this.length++] = isBlockCoverage ? 1 : 0;
    this.firstRange[this.length] = this.#ranges;
  }

  nameOf(index: number): string {
    return this.#nameOf(index);
  }

  /** Whether a later function has the same range. */
  isRepeated(index: number): boolean {
    const { firstRange, start, end } = this;
    const range = firstRange[index];
    for (let later = index + 1; later < this.length; later++) {
      const other = firstRange[later];
      if (start[other] === start[range] && end[other] === end[range]) return true;
    }
    return false;
  }

  #growRanges(): void {
    this.start = doubled(this.start);
    this.end = doubled(this.end);
    this.count = doubled(this.count);
  }

  #growFunctions(): void {
    this.firstRange = doubled(this.firstRange);
    const isBlockCoverage = new Uint8Array(this.isBlockCoverage.length * 2);
    isBlockCoverage.set(this.isBlockCoverage);
    this.isBlockCoverage = isBlockCoverage;
  }
}

function doubled(values: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}
