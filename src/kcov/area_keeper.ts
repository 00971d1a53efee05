import type { AreaFile, Change, Instance, Opening } from "./instance.ts";
import type { Counts } from "./meter.ts";

/** `area[0]` of an instance; and the events of its area, if the server sees them. */
export interface Measured {
  readonly count?: number | undefined;
  readonly counts?: Counts;
}

/** Bytes of an area's file, as the kernel asks for them. */
export interface ReadRange {
  readonly offset: number;
  readonly size: number;
  /** Whether the READ is for read(2), past the page cache; otherwise it is of whole pages for the cache. */
  readonly isCall?: boolean;
}

/**
 * Keeps the areas of instances, and brings what is executed into them. Its instances are only those
 * that it has made itself.
 */
export interface AreaKeeper {
  /** @throws {Refusal} ENOMEM if there is no memory. */
  open(opening: Opening): Instance;
  /** The last descriptor is gone; if the instance is enabled, its owner may still trace. */
  close(instance: Instance): void;
  /**
   * Makes an instance's area.
   *
   * @throws {Refusal} EIO or ENOMEM if the kernel or the system cannot.
   */
  initialize(instance: Instance, words: bigint): Promise<void>;
  /**
   * Changes an instance. Everything that was executed before belongs to the time before the change. Resolves
   * when that is done, and targets know of it.
   *
   * @throws {Refusal} EIO if the instance was closed before it was changed.
   */
  change(instance: Instance, change: Change): Promise<void>;
  /** @throws {Refusal} EINVAL if there is no area yet. */
  read(instance: Instance, range: ReadRange): Uint8Array | Promise<Uint8Array>;
  /** The kernel writes back a client's stores. `read`: see {@linkcode Area.write}. */
  write(
    instance: Instance,
    data: { offset: number; bytes: Uint8Array; read: number },
  ): void;
  /** Undefined for an instance that is closed and no longer traced. */
  measure(instance: Instance): Measured | undefined;
}

/** Makes a file for an area. */
export type MakeFile = () => AreaFile;
