/** Answers that somebody waits for, by number. */
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

  /** Has no effect if nobody has asked, or nobody waits any longer. */
  answer(number: number, value: T): void {
    this.#waiting.get(number)?.(value);
    this.#waiting.delete(number);
  }

  /** Gives all who wait this answer: no more answers will come. */
  answerAll(value: T): void {
    for (const number of [...this.#waiting.keys()]) this.answer(number, value);
  }
}
