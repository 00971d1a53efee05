/**
 * For targets that were written for Jazzer.js: values out of an input, as its documentation has them. Single
 * values are taken from the end of the input, lowest byte last; lists and texts from its start, highest byte
 * first. Where nothing is left, numbers are 0, or the least that is asked for.
 */

const { MAX_VALUE } = Number;
const MAX_FLOAT = 3.4028235e38;
/** Bytes that a number can hold exactly. */
const MOST_BYTES = 6;
const DOUBLE = 8;

export class FuzzedDataProvider {
  static readonly min_float = -MAX_FLOAT;
  static readonly max_float = MAX_FLOAT;
  static readonly min_double = -MAX_VALUE;
  static readonly max_double = MAX_VALUE;

  readonly #data: Buffer;
  #start = 0;
  #end: number;

  constructor(data: Uint8Array) {
    this.#data = Buffer.from(data.buffer, data.byteOffset, data.length);
    this.#end = data.length;
  }

  get remainingBytes(): number {
    return this.#end - this.#start;
  }

  consumeBoolean(): boolean {
    return (this.consumeIntegral(1) & 1) === 1;
  }

  consumeIntegral(maxNumBytes: number, isSigned = false): number {
    checkBytes(maxNumBytes);
    return Number(this.consumeBigIntegral(maxNumBytes, isSigned));
  }

  consumeBigIntegral(maxNumBytes: number, isSigned = false): bigint {
    checkLength(maxNumBytes);
    return inRange(rangeOf(maxNumBytes, isSigned), (bytes) => this.#fromEnd(bytes));
  }

  consumeIntegralInRange(min: number, max: number): number {
    checkLength(min);
    checkLength(max);
    return Number(this.consumeBigIntegralInRange(BigInt(min), BigInt(max)));
  }

  consumeBigIntegralInRange(min: bigint, max: bigint): bigint {
    return inRange([min, max], (bytes) => this.#fromEnd(bytes));
  }

  /** Any, NaN among them. */
  consumeNumber(): number {
    const bytes = Buffer.alloc(DOUBLE);
    const count = Math.min(DOUBLE, this.remainingBytes);
    this.#data.copy(bytes, DOUBLE - count, this.#end - count, this.#end);
    this.#end -= count;
    return bytes.readDoubleLE();
  }

  consumeNumberInRange(min: number, max: number): number {
    return this.consumeDoubleInRange(min, max);
  }

  consumeFloat(): number {
    return this.consumeFloatInRange(-MAX_FLOAT, MAX_FLOAT);
  }

  consumeFloatInRange(min: number, max: number): number {
    return this.#inRange([min, max], {
      most: MAX_FLOAT,
      part: () => this.consumeProbabilityFloat(),
    });
  }

  consumeDouble(): number {
    return this.consumeDoubleInRange(-MAX_VALUE, MAX_VALUE);
  }

  consumeDoubleInRange(min: number, max: number): number {
    const part = () => this.consumeProbabilityDouble();
    return this.#inRange([min, max], { most: MAX_VALUE, part });
  }

  /** From 0 to 1. */
  consumeProbabilityFloat(): number {
    return this.consumeIntegral(4) / 0xffffffff;
  }

  consumeProbabilityDouble(): number {
    return Number(this.consumeBigIntegral(DOUBLE)) / Number(0xffffffffffffffffn);
  }

  pickValue<T>(array: readonly T[]): T {
    if (array.length === 0) throw new Error("provided array is empty");
    return array[this.consumeIntegralInRange(0, array.length - 1)];
  }

  /** Each at most once. */
  pickValues<T>(array: readonly T[], numValues: number): T[] {
    checkLength(numValues);
    if (array.length === 0) throw new Error("array must not be empty");
    if (numValues < 0) throw new Error("numValues must not be negative");
    if (numValues > array.length) {
      throw new Error("numValues must not be greater than the array length");
    }
    const rest = [...array];
    return Array.from({ length: numValues }, () => {
      return rest.splice(this.consumeIntegralInRange(0, rest.length - 1), 1)[0];
    });
  }

  consumeBooleans(maxLength: number): boolean[] {
    return this.consumeBytes(maxLength).map((byte) => (byte & 1) === 1);
  }

  consumeIntegrals(maxLength: number, numBytesPerIntegral: number, isSigned = false): number[] {
    checkBytes(numBytesPerIntegral);
    return this.consumeBigIntegrals(maxLength, numBytesPerIntegral, isSigned).map(Number);
  }

  consumeBigIntegrals(maxLength: number, numBytesPerIntegral: number, isSigned = false): bigint[] {
    const range = rangeOf(numBytesPerIntegral, isSigned);
    return this.#list(maxLength, numBytesPerIntegral).map((bytes) =>
      inRange(range, () => bigOf(bytes))
    );
  }

  consumeNumbers(maxLength: number): number[] {
    return this.#list(maxLength, DOUBLE).map((bytes) => {
      const all = Buffer.alloc(DOUBLE);
      bytes.copy(all);
      return all.readDoubleBE();
    });
  }

  consumeBytes(maxLength: number): number[] {
    return [...this.#fromStart(maxLength)];
  }

  consumeRemainingAsBytes(): number[] {
    return this.consumeBytes(this.remainingBytes);
  }

  /** @param encoding Of older Jazzer.js: ASCII characters with one bit less, or any that Node has. */
  consumeString(maxLength: number, encoding: BufferEncoding = "utf-8", printable = false): string {
    if (maxLength < 0) throw new Error("maxLength must be non-negative");
    const text = this.#fromStart(maxLength).toString(encoding);
    return printable ? text.replace(/[^ -~]/g, (other) => printableFor(other)) : text;
  }

  consumeRemainingAsString(encoding?: BufferEncoding, printable = false): string {
    return this.consumeString(this.remainingBytes, encoding, printable);
  }

  consumeStringArray(
    maxArrayLength: number,
    maxStringLength: number,
    encoding?: BufferEncoding,
    printable = false,
  ): string[] {
    checkLength(maxArrayLength);
    checkLength(maxStringLength);
    const texts: string[] = [];
    while (texts.length < maxArrayLength && this.remainingBytes > 0 && maxStringLength > 0) {
      texts.push(this.consumeString(maxStringLength, encoding, printable));
    }
    return texts;
  }

  #inRange(
    [min, max]: readonly [number, number],
    { most, part }: { most: number; part: () => number },
  ): number {
    if (min === max) return min;
    if (min > max) throw new Error("min must be less than or equal to max");
    // Their distance may be no number: then it is one half of the range or the other.
    const isWide = min < 0 && max > 0 && max > min + most;
    const range = isWide ? max / 2 - min / 2 : max - min;
    const from = isWide && this.consumeBoolean() ? min + range : min;
    return from + range * part();
  }

  #fromEnd(most: number): bigint {
    const count = Math.min(most, this.remainingBytes);
    const bytes = Buffer.from(this.#data.subarray(this.#end - count, this.#end));
    this.#end -= count;
    return bigOf(bytes.reverse());
  }

  #fromStart(most: number): Buffer {
    checkLength(most);
    const count = Math.max(0, Math.min(most, this.remainingBytes));
    const bytes = this.#data.subarray(this.#start, this.#start + count);
    this.#start += count;
    return bytes;
  }

  /** The last may be shorter. */
  #list(maxLength: number, bytesPerItem: number): Buffer[] {
    checkLength(maxLength);
    checkLength(bytesPerItem);
    const length = Math.min(maxLength, Math.ceil(this.remainingBytes / bytesPerItem));
    return Array.from({ length }, () => this.#fromStart(bytesPerItem));
  }
}

function bigOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

/** Signed ones are counted from the least: where no bytes are left, they are that. */
function rangeOf(bytes: number, isSigned: boolean): readonly [min: bigint, max: bigint] {
  const count = 1n << BigInt(bytes * 8);
  return isSigned && bytes > 0 ? [-count / 2n, count / 2n - 1n] : [0n, count - 1n];
}

/** @param take Gives the number that so many bytes are. */
function inRange(
  [min, max]: readonly [bigint, bigint],
  take: (bytes: number) => bigint,
): bigint {
  if (min > max) throw new Error("min must be less than or equal to max");
  const range = max - min;
  if (range === 0n) return min;
  return min + take(Math.ceil(range.toString(2).length / 8)) % (range + 1n);
}

function printableFor(character: string): string {
  return String.fromCharCode(0x20 + character.charCodeAt(0) % 95);
}

function checkLength(length: number): void {
  if (Number.isInteger(length)) return;
  throw Object.assign(new Error("length value must be an integer"), { name: "FLOAT_LENGTH_ERROR" });
}

function checkBytes(count: number): void {
  checkLength(count);
  if (count < 0 || count > MOST_BYTES) throw new Error(`numBytes must be from 0 to ${MOST_BYTES}`);
}
