/** A value that some wait for until another has it. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  readonly #settle: (value: T) => void;
  #value: T | undefined;

  constructor() {
    let settle: (value: T) => void;
    this.promise = new Promise((resolve) => settle = resolve);
    this.#settle = (value) => settle(value);
  }

  /** The value that it was last resolved with; undefined before. */
  get value(): T | undefined {
    return this.#value;
  }

  /** The promise keeps the first value. */
  resolve(value: T): void {
    this.#value = value;
    this.#settle(value);
  }
}
