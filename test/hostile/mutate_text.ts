/** Mutates texts and JSON a little. */
import type { Random } from "./random.ts";

/** Values that replace others. */
const JUNK: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2],
  ...["", "a", "\0", "\u2028", "\ud800", "__proto__", "constructor", "../..", "/", "1", "[]", "é"],
  ...[[], {}, [[]], [null], { length: 1e9 }, [{}], { a: {} }, "x".repeat(300)],
];
const PIECES = [
  ...["{", "}", "[", "]", '"', ",", ":", "\\", "\\u", "null", "1e999", "-", "0", "\n", "\r", "\0"],
  ...[
    "\u2028",
    "\ufeff",
    "é",
    "\ud83d",
    "/*",
    "*/",
    "//",
    "`",
    "${",
    "'",
    ";",
    "(",
    ")",
    "=>",
    "A",
  ],
];

/** A value like the given one, with some parts changed, missing, or doubled. */
export function mutateJson(value: unknown, random: Random): unknown {
  if (random.chance(6)) return random.pick(JUNK);
  if (Array.isArray(value)) return mutateList(value, random);
  if (typeof value === "object" && value !== null) {
    // A large object must not change more than a small one.
    const entries = Object.entries(value);
    const at = random.below(entries.length);
    return Object.fromEntries(entries.flatMap(([key, member], i) => {
      if (i !== at) return [[key, member]];
      if (random.chance(10)) return [];
      return [[
        random.chance(5) ? random.pick(["__proto__", "x", ""]) : key,
        mutateJson(member, random),
      ]];
    }));
  }
  if (typeof value === "string" && random.chance(60)) return mutateText(value, random);
  if (typeof value === "number" && random.chance(60)) {
    return value + random.pick([-1, 1, 1e9, -1e9]);
  }
  return random.pick(JUNK);
}

function mutateList(value: readonly unknown[], random: Random): unknown[] {
  const list = [...value];
  if (list.length === 0) return [random.pick(JUNK)];
  const at = random.below(list.length);
  switch (random.below(8)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(at, 0, list[at]);
      break;
    case 2:
      list.reverse();
      break;
    default:
      list[at] = mutateJson(list[at], random);
  }
  return list;
}

/** A text with characters changed, cut out, doubled or put in. */
export function mutateText(text: string, random: Random): string {
  let result = text;
  for (let i = 1 + random.below(3); i > 0; i--) {
    const at = random.below(result.length + 1);
    const length = random.chance(50) ? random.below(4) : random.below(result.length + 1);
    const [before, after] = [result.slice(0, at), result.slice(at)];
    switch (random.below(5)) {
      case 0:
        result = before + after.slice(length);
        break;
      case 1:
        result = before + after.slice(0, length) + after;
        break;
      case 2:
        result = before + random.pick(PIECES) + after.slice(1);
        break;
      case 3:
        result = before + random.pick(PIECES).repeat(random.pick([1, 2, 50])) + after;
        break;
      default:
        result = before + String.fromCharCode(random.below(0x300)) + after.slice(1);
    }
  }
  return result;
}

/** Bytes with some changed, cut off or put in. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([
        bytes.subarray(0, at),
        random.bytes(random.below(9)),
        bytes.subarray(at),
      ]);
    default: {
      const other = bytes.slice();
      for (let i = random.below(4); i >= 0 && other.length > 0; i--) {
        other[random.below(other.length)] = random.pick([
          0,
          0x22,
          0x5c,
          0x7f,
          0xff,
          random.below(256),
        ]);
      }
      return other;
    }
  }
}

/** JSON of a value like the given one, mostly whole. */
export function mutatedJsonText(value: unknown, random: Random): string {
  let other = value;
  for (let i = random.below(4); i > 0; i--) other = mutateJson(other, random);
  const text = JSON.stringify(other) ?? "undefined";
  return random.chance(30) ? mutateText(text, random) : text;
}

/** As much of an input as is needed to recognise it. */
export function shown(text: string): string {
  const json = JSON.stringify(text);
  return json.length <= 4000 ? json : `${json.slice(0, 4000)}... (${text.length} characters)`;
}
