import { createHash } from "node:crypto";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { CLASSES, type Found, type Sightings } from "../harness/protocol.ts";

/** Frames of a stack that tell causes apart. */
const TOP = 3;
const OVERFLOW = /^(?:Maximum call stack size exceeded|too much recursion)/;

/** A frame without its line and column: a change of the file elsewhere leaves it as it is. */
interface Place {
  readonly name: string;
  /** Relative to the target's folder. */
  readonly file: string;
}

/**
 * Names a finding: its class and a number. Those with the same class and the same functions on top
 * of the stack have the same cause.
 *
 * @param folder The target's.
 */
export function causeOf(found: Found, folder: string): string {
  const places = found.stack.map((frame) => placeOf(frame, folder));
  const theirs = places.filter(({ file }) => !file.startsWith("node:") && file !== "");
  const names = (theirs.length > 0 ? theirs : places).map(({ name, file }) => `${name} ${file}`);
  const isOverflow = found.class === "RangeError" && OVERFLOW.test(found.message);
  // Where a recursion happens to be when the stack is full does not matter.
  const telling = isOverflow ? [...new Set(names)].sort() : withoutRepeats(names).slice(0, TOP);
  const text = [found.class, ...telling.length > 0 ? telling : [kindOf(found)]].join("\n");
  return `${found.class}-${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
}

/** Tells findings without a stack apart. */
function kindOf({ class: name, message }: Found): string {
  // The input may have chosen the key.
  return name === CLASSES.pollution ? message.replace(/^(\w+\.prototype).*/s, "$1") : message;
}

/** Where a program is that was seen several times: the frames that all have in common, from the outermost. */
export function commonStack({ stacks }: Sightings): readonly string[] {
  const seen = stacks.filter((stack) => stack.length > 0).map((stack) => stack.toReversed());
  if (seen.length === 0) return [];
  const names = seen.map((stack) => stack.map((frame) => frame.replace(/:\d+:\d+\)?$/, "")));
  let length = 0;
  while (names.every((stack) => length < stack.length && stack[length] === names[0][length])) {
    length++;
  }
  const [last] = seen.slice(-1);
  return last.slice(0, length || last.length).toReversed();
}

function placeOf(frame: string, folder: string): Place {
  const [, name = "", inner, bare] = /^\s*at (?:async )?(?:(.*?) \((.*)\)|(.*))$/.exec(frame) ?? [];
  const file = (inner ?? bare ?? "").replace(/:\d+:\d+$/, "").replace(/^<anonymous>$/, "");
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  return {
    name: name.replace(/ \[as .*\]$/, ""),
    file: path.startsWith("/") ? relative(folder, path) : path,
  };
}

function withoutRepeats(names: readonly string[]): string[] {
  return names.filter((name, i) => name !== names[i - 1]);
}
