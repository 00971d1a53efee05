import { stackHere } from "./describe_error.ts";
import { CLASSES, type Found } from "./protocol.ts";

const { getOwnPropertyDescriptor, defineProperty, is } = Object;
const { deleteProperty, ownKeys } = Reflect;

/** Those that pollution reaches, by the names that they have in findings. */
const WATCHED: readonly (readonly [name: string, prototype: object])[] = [
  ["Object", Object.prototype],
  ["Array", Array.prototype],
  ["Function", Function.prototype],
  ["String", String.prototype],
  ["Number", Number.prototype],
  ["Boolean", Boolean.prototype],
  ["RegExp", RegExp.prototype],
  ["Date", Date.prototype],
  ["Error", Error.prototype],
  ["Promise", Promise.prototype],
  ["Map", Map.prototype],
  ["Set", Set.prototype],
].map(([name, prototype]) => [`${name}.prototype`, prototype as object]);

/**
 * One of each: a loop over its keys meets those that were put into its prototypes. A String is none of them:
 * V8 takes 4 µs for it, for the others together 0.1.
 */
const SAMPLES: readonly object[] = [[], () => {}, new Number(0), /./, new Error(), new Date(0)];

interface Known {
  readonly name: string;
  readonly prototype: object;
  readonly own: ReadonlyMap<PropertyKey, PropertyDescriptor>;
}

/** Sees what an input puts into the prototypes that all code shares, and takes it out again. */
export class Prototypes {
  #known: Known[] = [];
  #enumerable = 0;

  constructor() {
    this.remember();
  }

  /** From here on, what there is now is as it should be. */
  remember(): void {
    this.#known = WATCHED.map(([name, prototype]) => ({
      name,
      prototype,
      own: new Map(
        ownKeys(prototype).map((key) => [key, getOwnPropertyDescriptor(prototype, key)!] as const),
      ),
    }));
    this.#enumerable = countEnumerable();
  }

  /** Whether something may have changed: in a tenth of a microsecond, after each input. */
  get mayHaveChanged(): boolean {
    return countEnumerable() !== this.#enumerable || hasChangedMethods();
  }

  /**
   * @param again Does once more what was done, for its stack to be known.
   * @returns what has changed, which is as before then.
   */
  check(again: () => void): Found | undefined {
    const changes = this.#restore();
    if (changes.length === 0) {
      this.remember();
      return undefined;
    }
    const message = changes.map(({ name, key, how }) => `${name}.${String(key)} was ${how}`);
    const stack = traceChange(changes, again);
    this.#restore();
    return { class: CLASSES.pollution, message: message.join(", "), stack };
  }

  #restore(): Change[] {
    return this.#known.flatMap((known) => restore(known));
  }
}

interface Change {
  readonly name: string;
  readonly prototype: object;
  readonly key: PropertyKey;
  readonly how: string;
}

/** Where the first of them is assigned. */
function traceChange(changes: readonly Change[], again: () => void): string[] {
  let stack: string[] = [];
  for (const { prototype, key } of changes) {
    const before = getOwnPropertyDescriptor(prototype, key);
    if (before && !before.configurable) continue;
    defineProperty(prototype, key, {
      configurable: true,
      get: () => before?.value,
      set(value) {
        if (this !== prototype) {
          const own = { value, configurable: true, enumerable: true, writable: true };
          defineProperty(this, key, own);
        } else if (stack.length === 0) stack = stackHere();
      },
    });
  }
  again();
  for (const { prototype, key, how } of changes) {
    if (how === "added") deleteProperty(prototype, key);
  }
  return stack;
}

/** Assigned properties can be enumerated; the runtime's own cannot. */
function countEnumerable(): number {
  let count = 0;
  for (const sample of SAMPLES) {
    // deno-lint-ignore guard-for-in -- Those of the prototypes are looked for.
    for (const _key in sample) count++;
  }
  return count;
}

const { toString, valueOf, hasOwnProperty, constructor } = Object.prototype;

/** Looks at the methods that are overwritten most often: assigning does not make them enumerable. */
function hasChangedMethods(): boolean {
  const now = Object.prototype;
  return now.toString !== toString || now.valueOf !== valueOf ||
    now.hasOwnProperty !== hasOwnProperty || now.constructor !== constructor;
}

function restore({ name, prototype, own }: Known): Change[] {
  const changes: Change[] = [];
  for (const key of ownKeys(prototype)) {
    if (own.has(key)) continue;
    changes.push({ name, prototype, key, how: "added" });
    deleteProperty(prototype, key);
  }
  for (const [key, before] of own) {
    const now = getOwnPropertyDescriptor(prototype, key);
    if (now && is(now.value, before.value) && now.get === before.get) continue;
    changes.push({ name, prototype, key, how: now ? "changed" : "removed" });
    try {
      defineProperty(prototype, key, before);
    } catch {
      // It can no longer be changed.
    }
  }
  return changes;
}
