/**
 * The comparisons of JavaScript as kcov's records: two integers of 1, 2, 4 or 8 bytes, as
 * `write_comp_data` in Linux's `kernel/kcov.c` writes them. A fuzzer looks for one of the two in its input,
 * and puts the other in its place.
 */

/** `KCOV_CMP_CONST`, and where `KCOV_CMP_SIZE` puts the size, of Linux's `include/uapi/linux/kcov.h`. */
const CONST = 1;
const SIZE_SHIFT = 1;

/** The methods of strings, by the numbers that probes give them (`probes/probe_names.ts`). */
const STARTS_WITH = 0;
const ENDS_WITH = 1;
/** Added where the text that is sought is a constant. */
const CONSTANT_SOUGHT = 4;

/** Takes a record: its type, and the lower and upper halves of both arguments, unsigned. */
type Write = (type: number, low1: number, high1: number, low2: number, high2: number) => void;

interface Options {
  /** Whether the first value is a constant of the program's; it becomes the first argument. */
  readonly isConst: boolean;
  readonly write: Write;
}

const { apply } = Reflect;
const { floor } = Math;
const { isInteger } = Number;
const { asIntN, asUintN } = BigInt;
const toNumber = Number;
const { charCodeAt, indexOf: indexOfText, slice: sliceText } = String.prototype;
const encoder = new TextEncoder();
const { encodeInto } = encoder;

const HALF = 2 ** 32;
/** UTF-16 units of the sought text: the longest beginning that is looked for in the other text. */
const MOST_SOUGHT = 64;
/** The most UTF-16 units before the first difference that a record has, for a fuzzer to find the place. */
const MOST_KNOWN = 4;

/** The bytes of two texts, as a record has them. */
const bytes1 = new Uint8Array(8);
const bytes2 = new Uint8Array(8);
const words1 = new Uint32Array(bytes1.buffer);
const words2 = new Uint32Array(bytes2.buffer);

/**
 * Writes the record of a comparison of two values by an operator:
 *
 * - two integers, of the smallest size that holds both, with a sign if one is negative;
 * - two bigints, if 64 bits hold both;
 * - two strings: see `compareTexts`; so, too, a number and a string that looks like one;
 * - anything else, and numbers that are not integers: nothing.
 */
function compareValues(left: unknown, right: unknown, options: Options): void {
  if (typeof left === "number" && typeof right === "number") {
    compareIntegers(left, right, options);
  } else if (typeof left === "bigint" && typeof right === "bigint") {
    compareBigints(left, right, options);
  } else {
    const leftText = textOf(left, right);
    const rightText = textOf(right, left);
    if (leftText !== undefined && rightText !== undefined) {
      compareTexts(leftText, rightText, options);
    }
  }
}

/** The text as which a value is compared with another; undefined for a value that is not compared so. */
function textOf(value: unknown, other: unknown): string | undefined {
  if (typeof value === "number") return isNumeric(other) ? `${value}` : undefined;
  if (typeof value !== "string") return undefined;
  return typeof other === "string" || isNumeric(value) ? value : undefined;
}

/** Compares as a `switch` with constants does: writes all of them, like `__sanitizer_cov_trace_switch`. */
function compareCases(value: unknown, constants: readonly unknown[], write: Write): void {
  for (let i = 0; i < constants.length; i++) {
    compareValues(constants[i], value, { isConst: true, write });
  }
}

/**
 * Compares as a method of strings does: the sought text, and the text at the place where it would be. For
 * `includes` and `indexOf` that is the place of the longest beginning of the sought text.
 *
 * @param kind The method's number; with `CONSTANT_SOUGHT` added if the sought text is a constant.
 */
function compareSought(kind: number, text: unknown, sought: unknown, write: Write): void {
  if (typeof text !== "string" || typeof sought !== "string") return;
  const { length } = sought;
  const isConst = kind >= CONSTANT_SOUGHT;
  const method = isConst ? kind - CONSTANT_SOUGHT : kind;
  let start = 0;
  if (method === ENDS_WITH) start = text.length > length ? text.length - length : 0;
  else if (method !== STARTS_WITH) start = likeliestStart(text, sought);
  compareTexts(sought, slice(text, start, start + length), { isConst, write });
}

function likeliestStart(text: string, sought: string): number {
  let length = sought.length < MOST_SOUGHT ? sought.length : MOST_SOUGHT;
  for (; length > 0; length--) {
    const start = indexOf(text, slice(sought, 0, length));
    if (start !== -1) return start;
  }
  return 0;
}

function isNumeric(value: unknown): value is string {
  return typeof value === "string" && value !== "" && isInteger(toNumber(value));
}

function compareIntegers(left: number, right: number, { isConst, write }: Options): void {
  if (!isInteger(left) || !isInteger(right)) return;
  const most = left > right ? left : right;
  const least = left > right ? right : left;
  const size = sizeFor(least, most);
  if (size === -1) return;
  const type = size << SIZE_SHIFT | (isConst ? CONST : 0);
  write(type, low(left, size), high(left, size), low(right, size), high(right, size));
}

/** The binary logarithm of the number of bytes that hold both integers, or -1. */
function sizeFor(least: number, most: number): number {
  for (let size = 0; size < 4; size++) {
    const range = 2 ** (8 << size);
    if (least < 0 ? least >= -range / 2 && most < range / 2 : most < range) return size;
  }
  return -1;
}

function low(value: number, size: number): number {
  const word = value - floor(value / HALF) * HALF;
  return size < 2 ? word % 2 ** (8 << size) : word;
}

function high(value: number, size: number): number {
  if (size < 3) return 0;
  const word = floor(value / HALF);
  return word < 0 ? word + HALF : word;
}

function compareBigints(left: bigint, right: bigint, { isConst, write }: Options): void {
  const cut = left < 0n || right < 0n ? asIntN : asUintN;
  let size = 0;
  while (cut(8 << size, left) !== left || cut(8 << size, right) !== right) {
    if (++size === 4) return;
  }
  const one = asUintN(8 << size, left);
  const other = asUintN(8 << size, right);
  const type = size << SIZE_SHIFT | (isConst ? CONST : 0);
  write(type, lowOf(one), lowOf(one >> 32n), lowOf(other), lowOf(other >> 32n));
}

function lowOf(value: bigint): number {
  return toNumber(asUintN(32, value));
}

/**
 * Writes the bytes that decide, as UTF-8 and little-endian: from the first difference on, as many as both
 * texts still have; of equal texts the last ones. If one text is longer, a second record has 8 bytes. It
 * begins with some that both have, and has zeros behind the shorter text: it tells how the text goes on.
 */
function compareTexts(left: string, right: string, options: Options): void {
  const isLess = left.length < right.length;
  const shorter = isLess ? left : right;
  const longer = isLess ? right : left;
  const place = firstDifference(shorter, longer);
  if (place === longer.length) {
    writeTexts(left, right, { ...options, start: place < 8 ? 0 : place - 8 });
    return;
  }
  writeTexts(left, right, { ...options, start: place });
  if (shorter.length === longer.length) return;
  for (let known = place < MOST_KNOWN ? place : MOST_KNOWN; known >= 0; known--) {
    const start = place - known;
    if (isSplit(longer, start)) continue;
    if (writeTexts(left, right, { ...options, start, isPadded: true })) return;
  }
}

/** Halves the rest of the texts: a loop over each character would be slow, as methods are captured. */
function firstDifference(shorter: string, longer: string): number {
  let start = 0;
  let end = shorter.length;
  while (start < end) {
    const middle = start + end + 1 >> 1;
    if (slice(shorter, start, middle) === slice(longer, start, middle)) start = middle;
    else end = middle - 1;
  }
  return isSplit(longer, start) ? start - 1 : start;
}

/** Whether a place is in the middle of a surrogate pair. */
function isSplit(text: string, place: number): boolean {
  if (place === 0 || place === text.length) return false;
  const unit = apply(charCodeAt, text, [place - 1]);
  return unit >= 0xd800 && unit < 0xdc00;
}

interface Place extends Options {
  /** The place in both texts where the record begins. */
  readonly start: number;
  /** Whether the shorter text gets zeros. */
  readonly isPadded?: boolean;
}

/** @returns whether a record was written. */
function writeTexts(left: string, right: string, place: Place): boolean {
  const { start, isConst, write, isPadded = false } = place;
  const length1 = encode(slice(left, start, start + 8), words1);
  const length2 = encode(slice(right, start, start + 8), words2);
  const isLess = length1 < length2;
  const length = isLess === isPadded ? length2 : length1;
  if (length === 0 || isPadded && length1 === length2) return false;
  let size = 3;
  while (isPadded ? 1 << size - 1 >= length : 1 << size > length) size--;
  const mask = size < 2 ? 2 ** (8 << size) - 1 : -1;
  const upper = size < 3 ? 0 : -1;
  write(
    size << SIZE_SHIFT | (isConst ? CONST : 0),
    (words1[0] & mask) >>> 0,
    (words1[1] & upper) >>> 0,
    (words2[0] & mask) >>> 0,
    (words2[1] & upper) >>> 0,
  );
  return true;
}

/** @returns the number of bytes; a character that would not fit is left out. */
function encode(text: string, words: Uint32Array): number {
  words[0] = words[1] = 0;
  const bytes = words === words1 ? bytes1 : bytes2;
  return apply(encodeInto, encoder, [text, bytes]).written;
}

function slice(text: string, start: number, end: number): string {
  return apply(sliceText, text, [start, end]);
}

function indexOf(text: string, sought: string): number {
  return apply(indexOfText, text, [sought]);
}

const parts = { compareCases, compareSought, compareValues };
module.exports = parts;
export type Parts = typeof parts;
