import type { AreaFile, Change, Instance, Opening } from "./instance.ts";
import type { Counts } from "./meter.ts";

/** `area[0]` of an instance, and the events of its area, where they are seen. */
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
 * Where the areas of instances are, and how what is executed comes into them. It is given only instances
 * that it has made itself.
 */
export interface AreaKeeper {
  /** @throws {Refusal} ENOMEM when the system cannot. */
  open(opening: Opening): Instance;
  /** The last descriptor is gone; of an instance that is enabled, its owner may still trace. */
  close(instance: Instance): void;
  /**
   * Makes an instance's area.
   *
   * @throws {Refusal} EIO or ENOMEM when the kernel or the system cannot.
   */
  initialize(instance: Instance, words: bigint): Promise<void>;
  /**
   * Changes an instance when all that was executed before belongs to what was before. Resolves when that
   * is done, and targets know of it.
   *
   * @throws {Refusal} EIO when the instance was closed before it was changed.
   */
  change(instance: Instance, change: Change): Promise<void>;
  /** @throws {Refusal} EINVAL where there is no area yet. */
  read(instance: Instance, range: ReadRange): Uint8Array | Promise<Uint8Array>;
  /** The kernel writes back a client's stores. `read`: see {@linkcode Area.write}. */
  write(
    instance: Instance,
    data: { offset: number; bytes: Uint8Array; read: number },
  ): void;
  /** Undefined for one that is closed and not traced any more. */
  measure(instance: Instance): Measured | undefined;
}

/** Makes a file for an area. */
export type MakeFile = () => AreaFile;
