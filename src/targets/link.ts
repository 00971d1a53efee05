import type { TracedArea } from "../messages/protocol.ts";

/** The outcome of a collection. */
export interface Taken {
  /**
   * The JSON array of V8's script coverages (`Profiler.ScriptCoverage[]`), as UTF-8 text; counts since
   * the last collection. Empty if nothing was collected.
   */
  readonly coverage: Uint8Array;
  /** Whether no JavaScript has run in the target since the collection, and none will before its release. */
  readonly held: boolean;
}

/** A connection to one target: how it is collected from and held. */
export interface Link extends AsyncDisposable {
  /** How the target is reached and how it is held, for `ps`. */
  readonly kind: string;
  readonly hold: string;
  /** Resolves, with a reason, when the target is gone. */
  readonly closed: Promise<string>;
  /**
   * Collects and holds. Rejects when the target goes.
   *
   * @param options `run`: µs that the target must have run since its last release. `hold`: false to
   * collect only.
   */
  stop(options: { run: number; hold: boolean }): Promise<Taken>;
  /** Ends a hold; without one it has no effect. */
  release(): void;
  /**
   * The sources of scripts by their ids; those that the target no longer has are left out. Keeps a hold.
   * It must not lose the counts of any script.
   */
  fetchSources(scriptIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** These scripts need not be collected from now on. */
  ignore(scriptIds: readonly string[]): void;
  /** Settled when a target that waits for us has started, or has gone; absent if it does not wait. */
  readonly started?: Promise<unknown>;
  /**
   * Makes a target with probes write into these areas and no others. Resolves when it does; rejects with the
   * reason if it cannot.
   */
  trace?(areas: readonly TracedArea[]): Promise<void>;
  /**
   * Reports that a script has probes of its own, by `kcovfs instrument`: from now on collections are to bring
   * their hits, including earlier ones.
   */
  readProbes?(): void;
  /** The lower halves of the PCs that collections have brought of such probes since the last call, in order. */
  takeHits?(): Uint32Array;
  /** The URLs of all scripts of a target with probes, as far as they can be listed. */
  listScripts?(): Promise<readonly string[]>;
}
