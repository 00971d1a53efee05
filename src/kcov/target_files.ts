import { constants } from "node:fs";
import type { Dirent, NodeId } from "../fuse/mod.ts";
import type { Device } from "./device.ts";
import type { Scope } from "./source.ts";
import type { TargetId } from "./ids.ts";

/** A name that a target has, or had. */
export interface NamedTarget {
  readonly name: string;
  /** The target's number, which goes with the name. */
  readonly id: TargetId;
  readonly isAlive: boolean;
}

/** Inode numbers of `kcov.d/NAME`, by the target's number, begin here. */
const FIRST_TARGET_INO = 2 ** 32;

/** The files in `kcov.d/`, one a target. An instance of such a file is told of that target alone. */
export class TargetFiles {
  readonly #targets: () => readonly NamedTarget[];
  readonly #device: Device;
  /** The number of the target whose file a node is. */
  readonly #nodes = new Map<NodeId, TargetId>();

  /** @param targets All that there may be files of. */
  constructor(targets: () => readonly NamedTarget[], device: Device) {
    this.#targets = targets;
    this.#device = device;
  }

  /** Those that live, and those whose file somebody has open: they may come back. */
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

  /** Makes a node one of a target's file, until it is forgotten. */
  add(nodeid: NodeId, target: NamedTarget): void {
    this.#nodes.set(nodeid, target.id);
  }

  forget(nodeid: NodeId): void {
    this.#nodes.delete(nodeid);
  }

  /** The inode number that `stat` shows for a node; undefined where that is no target's file. */
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
