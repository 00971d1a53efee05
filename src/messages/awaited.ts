/** Answers that are awaited, by number. */
export class Awaited<T> {
  readonly #waiting = new Map<number, (value: T) => void>();
  #next = 1;

  /** @param ask Sends the question of that number. */
  ask(ask: (number: number) => void): Promise<T> {
    const number = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      ask(number);
    });
  }

  /** Whether somebody waits for the answer of a number. */
  has(number: number): boolean {
    return this.#waiting.has(number);
  }

  /** An answer to what nobody asked, or asked any longer, has no effect. */
  answer(number: number, value: T): void {
    this.#waiting.get(number)?.(value);
    this.#waiting.delete(number);
  }

  /** No more answers will come. */
  answerAll(value: T): void {
    for (const number of [...this.#waiting.keys()]) this.answer(number, value);
  }
}
