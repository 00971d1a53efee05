import type { Counts } from "./meter.ts";
import type { Instance, Scope } from "./instance.ts";
import type { Operation } from "./coherence/page0.ts";
import type { Owner } from "./callers.ts";

/** How comparisons and PCs are told apart, as in `enum kcov_mode` in the kernel. */
export type Mode = "pc" | "cmp";

/** The words that a client maps, wherever they are. */
export interface InstanceArea {
  /** In bytes. */
  readonly size: number;
  /** `area[0]` becomes 0. */
  reset(): void;
}

/** A file in memory that a client maps through the filesystem, and targets map by its path. */
export interface AreaFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  /**
   * Makes it so many bytes long, by zeros; never shorter.
   *
   * @throws when the system cannot.
   */
  grow(bytes: number): void;
}

/** What an instance is enabled with. */
export interface Enabling {
  readonly owner: Owner;
  readonly scope: Scope;
  readonly mode: Mode;
}

/** What is known of an instance's area: `area[0]`, and what has happened there, as far as it is seen. */
export interface Measured {
  readonly count?: number | undefined;
  readonly counts?: Counts;
}

/** Bytes of an area's file that the kernel asks for. */
export interface ReadRange {
  readonly offset: number;
  readonly size: number;
  /** Whether read(2) asks, past the page cache; otherwise they are whole pages for the cache. */
  readonly isCall?: boolean;
}

/**
 * Where the areas of instances are, and how what is executed comes into them. Instances are named by their
 * node ids, which were opened and not closed.
 */
export interface AreaKeeper extends AsyncDisposable {
  open(id: number, scope: Scope): Instance;
  /** The last descriptor is gone; of an instance that is enabled, its owner may still trace. */
  close(id: number): void;
  /**
   * Makes an instance's area.
   *
   * @throws {Refusal} EIO or ENOMEM when the kernel or the system cannot.
   */
  initialize(id: number, words: bigint): Promise<void>;
  /** Resolves when `CarryOut` was called, and all that was executed before belongs to what was before. */
  operate(id: number, operation: Operation, enabling?: Enabling): Promise<void>;
  /** @throws {Refusal} EINVAL where there is no area yet. */
  read(id: number, range: ReadRange): Uint8Array | Promise<Uint8Array>;
  /** What the kernel writes back of the client's stores. `read`: see {@linkcode Area.write}. */
  write(id: number, data: { offset: number; bytes: Uint8Array; read: number }): void;
  /** See {@linkcode Device.refresh}. */
  refresh(): Promise<void>;
  /** Undefined for one that is closed and not traced any more. */
  measure(id: number): Measured | undefined;
  /** See {@linkcode Device.regroup}. */
  regroup(): void;
}

/** Changes an instance's state as an operation says; called by an {@linkcode AreaKeeper}, at its time. */
export type CarryOut = (id: number, operation: Operation, enabling?: Enabling) => void;
