import { constants } from "node:fs";
import type { Dirent, NodeId } from "../fuse/mod.ts";
import type { Device } from "./device.ts";
import type { Scope } from "./source.ts";
import type { TargetId } from "./ids.ts";

/** A name that a target has, or had. */
export interface NamedTarget {
  readonly name: string;
  /** The target's number, which belongs to the name. */
  readonly id: TargetId;
  readonly isAlive: boolean;
}

/** The first inode number of `kcov.d/NAME`; the target's number is added. */
const FIRST_TARGET_INO = 2 ** 32;

/** The files in `kcov.d/`, one for each target. An instance of such a file traces only that target. */
export class TargetFiles {
  readonly #targets: () => readonly NamedTarget[];
  readonly #device: Device;
  /** For the node of a target's file: the number of the target. */
  readonly #nodes = new Map<NodeId, TargetId>();

  /** @param targets All targets that may have files. */
  constructor(targets: () => readonly NamedTarget[], device: Device) {
    this.#targets = targets;
    this.#device = device;
  }

  /** The targets that live, and those whose file somebody has open: they may come back. */
  #present(): NamedTarget[] {
    return this.#targets().filter(({ id, isAlive }) => isAlive || this.#device.isNamed(id));
  }

  find(name: string): NamedTarget | undefined {
    return this.#present().find((target) => target.name === name);
  }

  list(): Dirent[] {
    return this.#present().map(({ name, id }) => ({
      name,
      ino: FIRST_TARGET_INO + id,
      mode: constants.S_IFREG,
    }));
  }

  /** Makes a node stand for a target's file, until it is forgotten. */
  add(nodeid: NodeId, target: NamedTarget): void {
    this.#nodes.set(nodeid, target.id);
  }

  forget(nodeid: NodeId): void {
    this.#nodes.delete(nodeid);
  }

  /** The inode number that `stat` shows for a node; undefined if it is no target's file. */
  inoOf(nodeid: NodeId): number | undefined {
    const target = this.#nodes.get(nodeid);
    return target === undefined ? undefined : FIRST_TARGET_INO + target;
  }

  /** The scope of an instance that is opened by a node. */
  scopeOf(nodeid: NodeId): Scope {
    const target = this.#nodes.get(nodeid);
    return target === undefined ? "all" : new Set([target]);
  }
}
