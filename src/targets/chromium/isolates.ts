import { Isolate } from "./isolate.ts";

/** The isolates of one browser that have something that is measured. */
export class Isolates {
  readonly #byId = new Map<string, Isolate>();
  #nextSerial = 1;

  /** @param id The id that `Runtime.getIsolateId` gives. */
  get(id: string): Isolate {
    this.#forgetEmpty(id);
    let isolate = this.#byId.get(id);
    if (!isolate) this.#byId.set(id, isolate = new Isolate(id, this.#nextSerial++));
    return isolate;
  }

  /** For something whose isolate is yet to be found. */
  unknown(): Isolate {
    return new Isolate("", this.#nextSerial++);
  }

  #forgetEmpty(wanted: string): void {
    for (const [id, isolate] of this.#byId) {
      if (isolate.isEmpty && id !== wanted) this.#byId.delete(id);
    }
  }
}
