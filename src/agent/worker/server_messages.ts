/**
 * A server's messages to an agent, checked on arrival. The checks are written by hand: to load `valibot`
 * would add 4 to 7 ms of CPU to each target's start (measured on Node 20). `server_messages_test` compares
 * them with schemas.
 */
import type { ProbedSource, TracedArea, Welcome } from "../../messages/protocol.ts";

/** @throws {TypeError} one line: the fault, and its place. */
type Check = (value: unknown, place: string) => void;

const text = check("a text", (value) => typeof value === "string");
const flag = check("true or false", (value) => typeof value === "boolean");
const index = check(
  "a whole number from 0 on",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);
const time = check("a number", (value) => Number.isFinite(value) && (value as number) >= 0);
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const list = check("a list", isList);
const object = check(
  "an object",
  (value) => typeof value === "object" && value !== null && !isList(value),
);

const area = members({
  id: text,
  path: text,
  words: index,
  takesComparisons: flag,
  isShared: flag,
  turns(value, place) {
    if (value !== undefined) text(value, place);
  },
  takesMarks(value, place) {
    if (value !== undefined) flag(value, place);
  },
  folds(value, place) {
    if (value !== undefined) flag(value, place);
  },
});
const sharedArea = members({ turns: text });
const areas = listOf((value, place) => {
  area(value, place);
  if ((value as TracedArea).isShared) sharedArea(value, place);
});
const welcome = members({
  ...{ id: index, name: text, holdTimeout: time, pipe: text, isHeld: flag },
  areas,
});
const optional = (one: Check): Check => (value, place) => {
  if (value !== undefined) one(value, place);
};
const probed = members({
  code: optional(text),
  insertions: optional(listOf(index)),
  hash: optional(text),
  firstPc: optional(time),
  blocks: optional(index),
  isFull: optional(flag),
});
const message: Check = (value, place) => {
  list(value, place);
  index((value as readonly unknown[])[0], `${place}.0`);
  text((value as readonly unknown[])[1], `${place}.1`);
};

/** How {@linkcode parse} checks each kind of body. */
export const SHAPES = {
  welcome: welcome as Shape<Welcome>,
  areas: areas as Shape<readonly TracedArea[]>,
  probed: probed as Shape<ProbedSource>,
  /** CDP messages, each as its id and its text. */
  messages: listOf(message) as Shape<readonly (readonly [number, string])[]>,
  /** The ids of scripts. */
  scriptIds: listOf(text) as Shape<readonly string[]>,
  /** Globs in the form that the environment has. */
  globs: listOf(text) as Shape<readonly string[]>,
} as const;

/** A check; a value that passes it is of the type. */
type Shape<T> = Check & { readonly of?: T };

const decoder = new TextDecoder();

/** @throws one line: the fault, and its place. */
export function parse<T>(body: Uint8Array, shape: Shape<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch {
    throw new TypeError("it is no JSON");
  }
  shape(value, "");
  return value as T;
}

function check(what: string, isSo: (value: unknown) => boolean): Check {
  return (value, place) => {
    if (!isSo(value)) throw new TypeError(`${place.replace(/^\./, "") || "it"} must be ${what}`);
  };
}

/** Checks these members; others may be anything. */
function members(checks: Readonly<Record<string, Check>>): Check {
  return (value, place) => {
    object(value, place);
    for (const key of Object.keys(checks)) {
      checks[key]((value as Record<string, unknown>)[key], `${place}.${key}`);
    }
  };
}

function listOf(item: Check): Check {
  return (value, place) => {
    list(value, place);
    (value as readonly unknown[]).forEach((one, i) => item(one, `${place}.${i}`));
  };
}
