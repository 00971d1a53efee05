/** A link without a target: it does as the test says. */
import type { Link, Taken } from "../../src/targets/link.ts";

export class FakeLink implements Link {
  readonly kind = "fake";
  readonly hold: string;
  readonly closed: Promise<string>;
  /** The calls, in order: `stop 0 hold`, `release`, `fetch 1,2`, ... */
  readonly calls: string[] = [];
  /** Ends the connection; pending calls are rejected with the reason. */
  readonly close: (reason: string) => void;
  /** Answers `stop`; at once, with a piece of its own for each, unless a test says otherwise. */
  onStop: (options: { run: number; hold: boolean }) => Promise<Taken>;
  onFetch: Link["fetchSources"] = () => Promise.resolve(new Map());
  onRelease: () => void = () => {};
  #pieces = 0;
  readonly #lost: Promise<never>;

  constructor(options: { hold?: string } = {}) {
    this.hold = options.hold ?? "gate";
    this.onStop = ({ hold }) => Promise.resolve(taken(`[${++this.#pieces}]`, hold));
    const { promise: closed, resolve: close } = deferred<string>();
    const { promise: lost, reject: lose } = deferred<never>();
    lost.catch(() => {});
    this.closed = closed;
    this.#lost = lost;
    this.close = (reason) => {
      close(reason);
      lose(new Error(reason));
    };
  }

  stop(options: { run: number; hold: boolean }): Promise<Taken> {
    this.calls.push(`stop ${options.run}${options.hold ? " hold" : ""}`);
    return Promise.race([this.onStop(options), this.#lost]);
  }

  release(): void {
    this.calls.push("release");
    this.onRelease();
  }

  fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    this.calls.push(`fetch ${scriptIds}`);
    return Promise.race([this.onFetch(scriptIds), this.#lost]);
  }

  ignore(scriptIds: readonly string[]): void {
    this.calls.push(`ignore ${scriptIds}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A link's collection. */
export function taken(coverage: string, held: boolean): Taken {
  return { coverage: new TextEncoder().encode(coverage), held };
}

/** Pieces of coverage as text. */
export function texts(pieces: readonly Uint8Array[]): string[] {
  return pieces.map((piece) => new TextDecoder().decode(piece));
}

/** A promise that is settled from outside. */
export function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => [resolve, reject] = [yes, no]);
  return { promise, resolve, reject };
}

/** Lets promises' callbacks run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
