/** Makes a realm's `Function.prototype.toString` give the texts of functions as they were written. */

type Texts = InstanceType<import("./written_texts.cts").Parts["WrittenTexts"]>;

// User code may replace these.
const { apply } = Reflect;
const { captureStackTrace } = Error;
const { includes } = String.prototype;
const { get, set } = WeakMap.prototype;
const { defineProperty, getOwnPropertyDescriptor } = Object;
/** Functions of V8's own, by ours that stand in for them. */
const stoodFor = new WeakMap<object, object>();

/** From here on, `toString` of our function gives the text of V8's, which it stands in for. */
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
  // A method, so that it is no constructor.
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
      return apply(includes, text, ["__kcov"]) ? texts.functionText(text) : text;
    },
  }.toString;
  standFor(ours, theirs);
  defineProperty(prototype, "toString", { ...property, value: ours });
  return () => {
    if (prototype.toString === ours) defineProperty(prototype, "toString", property);
  };
}

const parts = { mendFunctionTexts, standFor };
module.exports = parts;
export type Parts = typeof parts;
