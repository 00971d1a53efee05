/** Has `Function.prototype.toString` give the texts of functions as they were written, in a realm. */

type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;

// User code may replace these.
const { apply } = Reflect;
const { captureStackTrace } = Error;
const { includes } = String.prototype;
const { get, set } = WeakMap.prototype;
const { defineProperty, getOwnPropertyDescriptor } = Object;
/** What stands in for functions of V8's own, and these. */
const stoodFor = new WeakMap<object, object>();

/** What is told of a function is told of another: of V8's own, which it stands in for. */
function standFor(ours: object, theirs: object): void {
  apply(set, stoodFor, [ours, theirs]);
}

/**
 * @param prototype The realm's `Function.prototype`.
 * @returns a function that puts it back.
 */
function mendFunctionTexts(prototype: CallableFunction, texts: Texts): () => void {
  const property = getOwnPropertyDescriptor(prototype, "toString")!;
  const theirs = property.value as () => string;
  // A method, which is no constructor.
  const ours = {
    toString(this: object): string {
      const own = typeof this === "function" ? apply(get, stoodFor, [this]) ?? this : this;
      let text: string;
      try {
        text = apply(theirs, own, []);
      } catch (error) {
        captureStackTrace(error as object, ours);
        throw error;
      }
      const written = isClass(own) ? texts.classText(text) : undefined;
      if (written !== undefined) return written;
      return apply(includes, text, ["__kcov"]) ? texts.functionText(text) : text;
    },
  }.toString;
  standFor(ours, theirs);
  defineProperty(prototype, "toString", { ...property, value: ours });
  return () => {
    if (prototype.toString === ours) defineProperty(prototype, "toString", property);
  };
}

/** Of nothing else can the prototype not be replaced, but of what V8 has itself. */
function isClass(value: object): boolean {
  return typeof value === "function" &&
    getOwnPropertyDescriptor(value, "prototype")?.writable === false;
}

const parts = { mendFunctionTexts, standFor };
module.exports = parts;
export type Parts = typeof parts;
