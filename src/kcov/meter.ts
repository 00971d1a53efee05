/** Events since some beginning. Each number only grows. */
export interface Counts {
  /**
   * Executions: times that an area got something to read after it was emptied. An execution that recorded
   * nothing is not seen.
   */
  executions: number;
  /** PCs, or comparisons, that were recorded. */
  pcs: number;
  /** Executions that filled their area: further PCs were dropped, as in the kernel. */
  full: number;
  /** Page faults for which targets were collected from and held. */
  faults: number;
  /** µs of these faults, in three parts: collecting from the targets, until they stood still; */
  collecting: number;
  /** answering, until the client's page was ready; */
  answering: number;
  /** and holding, until the page was taken back: then targets may run, if no other client has its page. */
  holding: number;
}

/** Zero counts. */
export function noCounts(): Counts {
  return {
    ...{ executions: 0, pcs: 0, full: 0 },
    ...{ faults: 0, collecting: 0, answering: 0, holding: 0 },
  };
}

const NEVER = -1;

/**
 * Counts the events of one instance, and adds them to a total at once. Its methods are called when the events
 * happen; times are µs on a monotonic clock.
 */
export class Meter {
  readonly #counts = noCounts();
  readonly #total: Counts;
  /** Whether something was recorded since the client emptied the area, and whether it has filled the area. */
  #isFilled = false;
  #isFull = false;
  /** For the fault under way: when it came, when the targets were held for it, and when it was answered. */
  #asked = NEVER;
  #held = NEVER;
  #answered = NEVER;
  #collecting = 0;

  /** @param total The total of all of a server's meters. */
  constructor(total: Counts) {
    this.#total = total;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** So many PCs were recorded, perhaps none; `isFull`: there is no room for another. */
  recorded(pcs: number, isFull: boolean): void {
    if (pcs > 0) {
      this.#add("pcs", pcs);
      if (!this.#isFilled) this.#add("executions", 1);
      this.#isFilled = true;
    }
    if (isFull && this.#isFilled && !this.#isFull) {
      this.#add("full", 1);
      this.#isFull = true;
    }
  }

  /** The client has set the count. */
  emptied(): void {
    this.#isFilled = false;
    this.#isFull = false;
  }

  /** A READ of page 0 has come for which targets are to be held; others may wait already. */
  asked(now: number): void {
    if (this.#asked === NEVER) this.#asked = now;
  }

  /** The targets are held, and what they have executed is in the area. */
  held(now: number): void {
    if (this.#asked === NEVER) return;
    this.#collecting = now - this.#asked;
    this.#held = now;
    this.#answered = NEVER;
  }

  /** The waiting READs are answered. */
  answered(now: number): void {
    this.#asked = NEVER;
    if (this.#held !== NEVER) this.#answered = now;
  }

  /** Page 0 is taken back. */
  dropped(now: number): void {
    if (this.#held === NEVER || this.#answered === NEVER) return;
    this.#add("faults", 1);
    this.#add("collecting", this.#collecting);
    this.#add("answering", this.#answered - this.#held);
    this.#add("holding", now - this.#answered);
    this.#held = NEVER;
    this.#answered = NEVER;
  }

  #add(what: keyof Counts, amount: number): void {
    this.#counts[what] += amount;
    this.#total[what] += amount;
  }
}
