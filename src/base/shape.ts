/** Checks values that have come from another process or from a file: they may be anything. */
import * as v from "valibot";

/** A value is not as its schema says. The message is one line: what is wrong, and where. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** Characters of a wrong value that an error quotes. */
const MOST_QUOTED = 40;
/** If a list is wrong in each place, the first place is enough. */
const FIRST_ONLY = { abortEarly: true } as const;

/**
 * @returns the value without the members that the schema does not name.
 * @throws {ShapeError} when it is not as the schema says.
 */
export function check<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value, FIRST_ONLY);
  if (result.success) return result.output;
  throw new ShapeError(describe(result.issues[0]));
}

/** The same of JSON text. */
export function checkJson<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // V8's message quotes the text, which may have any length and any number of lines.
    throw new ShapeError("it is no JSON");
  }
  return check(schema, value);
}

/** An object that has these members; others are left out. */
export function record<const E extends v.ObjectEntries>(entries: E) {
  return v.pipe(v.object(entries), v.readonly());
}

/** A list. */
export function list<const S extends v.GenericSchema>(item: S) {
  return v.pipe(v.array(item), v.readonly());
}

/** A whole number. */
export const integer = v.pipe(v.number(), v.safeInteger("a whole number"));
/** A whole number from 0 on. */
export const index = v.pipe(integer, v.minValue(0, "a whole number from 0 on"));

/** The same, for numbers that name things: a number that has come from elsewhere gets its type here. */
export function named<N extends number>(): v.GenericSchema<unknown, N> {
  return index as v.GenericSchema<unknown, number> as v.GenericSchema<unknown, N>;
}

/**
 * A list of texts, or of numbers, that may be very long. It is checked in a tenth of the time of `v.array`.
 *
 * @param what The name of such an item; `isItem` tells whether it is one.
 */
function longList<T>(what: string, isItem: (item: unknown) => boolean) {
  return v.pipe(
    v.custom<readonly T[]>(Array.isArray, "a list"),
    v.rawCheck<readonly T[]>(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const list = dataset.value;
      const key = list.findIndex((item) => !isItem(item));
      if (key < 0) return;
      const value: unknown = list[key];
      const input = list as unknown[];
      addIssue({
        ...{ message: what, input: value },
        path: [{ type: "array", origin: "value", input, key, value }],
      });
    }),
  );
}

/** Valibot's names of types, and the words that users know. */
const WORDS: Readonly<Record<string, string>> = {
  ...{ Object: "an object", Array: "a list" },
  ...{ string: "a text", number: "a number", boolean: "true or false" },
};

export const texts = longList<string>("a text", (item) => typeof item === "string");
export const numbers = longList<number>("a number", (item) => typeof item === "number");

/** `targets.3.name must be a text, not 7`. */
function describe(issue: v.BaseIssue<unknown>): string {
  const path = issue.path ?? [];
  const place = path.map(({ key }) => quoted(String(key))).join(".") || "it";
  if (path.at(-1)?.origin === "key") return `${place} is missing`;
  const { expected, message } = issue;
  const isOwn = !message.startsWith("Invalid ");
  const choices = (expected ?? "something else").replace(/[()]/g, "").split(" | ");
  const wanted = isOwn ? message : choices.map((one) => WORDS[one] ?? one).join(" or ");
  return `${place} must be ${wanted}, not ${shown(issue.input)}`;
}

function shown(input: unknown): string {
  if (typeof input === "string") return JSON.stringify(quoted(input));
  if (typeof input !== "object" || input === null) return String(input);
  return Array.isArray(input) ? "a list" : "an object";
}

/** Quotes a text without line breaks and other characters that a terminal acts upon. */
function quoted(text: string): string {
  const clipped = text.length > MOST_QUOTED ? `${text.slice(0, MOST_QUOTED)}...` : text;
  return clipped.replace(/[\p{Cc}\u2028\u2029]/gu, "?");
}
