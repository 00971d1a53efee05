import { constants } from "node:os";
import {
  ENOTSUPP,
  KCOV_TRACE_CMP,
  KCOV_TRACE_FOLDED,
  KCOV_TRACE_PC,
  MAX_WORDS,
  WORD_SIZE,
} from "./abi.ts";
import type { Client, Owner } from "./callers.ts";
import type { EnabledArea, Mode, Scope } from "./source.ts";
import type { NodeId } from "../fuse/mod.ts";
import type { ThreadId } from "../base/thread_id.ts";

/** The words that a client maps, wherever they are kept. */
export interface InstanceArea {
  /** In bytes. */
  readonly size: number;
  /** `area[0]`. */
  readonly count: number;
  /** Sets `area[0]` to 0. */
  reset(): void;
}

/** A file in memory that a client maps through the filesystem, and targets map by its path. */
export interface AreaFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  /** Path of the file by which several targets that write into this one take turns; clients do not map it. */
  readonly turns?: string;
  /**
   * Makes it so many bytes long, by zeros; never shorter.
   *
   * @throws if the system cannot.
   */
  grow(bytes: number): void;
}

export interface Enabling {
  readonly owner: Owner;
  readonly scope: Scope;
  readonly mode: Mode;
}

/** `kcov->mode` and `kcov->t` in the kernel. */
export type State<A extends InstanceArea = InstanceArea> =
  | { readonly kind: "opened" }
  | { readonly kind: "initialized"; readonly area: A }
  | { readonly kind: "enabled"; readonly area: A } & Enabling;

/** The change that a valid ioctl makes. `retire` gives back an instance whose owner has died. */
export type Change =
  | { readonly operation: "enable"; readonly enabling: Enabling }
  | { readonly operation: "disable" | "reset" | "retire" };

export interface Opening {
  /** The node id of its inode. */
  readonly id: NodeId;
  /** The scope of the file that was opened; KCOV_ENABLE uses it. */
  readonly scope: Scope;
}

const MODES = new Map<bigint, Mode>([
  [KCOV_TRACE_PC, "pc"],
  [KCOV_TRACE_FOLDED, "fold"],
  [KCOV_TRACE_CMP, "cmp"],
]);

type RefusalName =
  | "EBUSY"
  | "EEXIST"
  | "EFAULT"
  | "EINVAL"
  | "EIO"
  | "ENOMEM"
  | "ENOTSUPP"
  | "ENOTTY";

/** The reason for refusing an ioctl: an errno of Linux's, which may be above 511. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly errno: number;

  constructor(name: RefusalName) {
    super(name);
    this.errno = name === "ENOTSUPP" ? ENOTSUPP : constants.errno[name];
  }
}

/**
 * The record of one `open` of `kcov`. Whether it is enabled is its state, and is kept nowhere else. While its
 * owner has it enabled, it outlives its last descriptor.
 *
 * The checks throw {@linkcode Refusal} and change nothing. Their errors, and the order of the errors, are
 * those of `kcov_ioctl` and `kcov_ioctl_locked` in `kernel/kcov.c`. A {@linkcode Change} that was checked
 * cannot fail.
 */
export class Instance<A extends InstanceArea = InstanceArea> {
  readonly id: NodeId;
  readonly fileScope: Scope;
  /** The process that has opened it, if known. */
  opener: Promise<Client | undefined> = Promise.resolve(undefined);
  /** False once the last descriptor is gone; its node may then be opened anew, as another instance. */
  isOpen = true;
  /** Settled when no ioctl is under way: ioctls follow each other, as under `kcov->lock`. */
  turn: Promise<unknown> = Promise.resolve();
  /** The kernel's number of {@linkcode file}. */
  backing: number | undefined;
  #state: State<A> = { kind: "opened" };

  constructor({ id, scope }: Opening) {
    this.id = id;
    this.fileScope = scope;
  }

  /** The file that the client maps, if areas are files. */
  get file(): AreaFile | undefined {
    return undefined;
  }

  get state(): State<A> {
    return this.#state;
  }

  get area(): A | undefined {
    return this.#state.kind === "opened" ? undefined : this.#state.area;
  }

  /** The targets that it traces; while it is not enabled, those of its file. */
  get scope(): Scope {
    return this.#state.kind === "enabled" ? this.#state.scope : this.fileScope;
  }

  get owner(): Owner | undefined {
    return this.#state.kind === "enabled" ? this.#state.owner : undefined;
  }

  /** KCOV_INIT_TRACE, as far as it can be checked before the file is extended. */
  checkInitialize(words: bigint): void {
    if (words < 2n || words > MAX_WORDS) throw new Refusal("EINVAL");
    if (this.#state.kind !== "opened") throw new Refusal("EBUSY");
  }

  initialize(words: bigint, area: A): void {
    this.checkInitialize(words);
    this.#state = { kind: "initialized", area };
  }

  /**
   * KCOV_ENABLE, and KCOV_REMOTE_ENABLE before its handles are checked.
   *
   * @param options `isBusy`: whether the calling thread has an instance enabled. `canCompare`: whether
   * targets can record comparisons.
   */
  checkEnable(mode: bigint, options: { isBusy: boolean; canCompare: boolean }): Mode {
    if (this.#state.kind !== "initialized") throw new Refusal("EINVAL");
    if (options.isBusy) throw new Refusal("EBUSY");
    const checked = MODES.get(mode);
    if (checked === undefined) throw new Refusal("EINVAL");
    if (checked === "cmp" && !options.canCompare) throw new Refusal("ENOTSUPP");
    return checked;
  }

  /** KCOV_DISABLE and KCOV_RESET_TRACE: for the owner, with an argument of 0. */
  checkOwned(tid: ThreadId, argument: bigint): void {
    if (argument !== 0n || this.owner?.tid !== tid) throw new Refusal("EINVAL");
  }

  /** Carries out a change that was checked. When the instance is given back, its data stays. */
  change(change: Change): void {
    const { area } = this;
    if (!area) return;
    if (change.operation === "reset") area.reset();
    else if (change.operation === "enable") {
      this.#state = { kind: "enabled", area, ...change.enabling };
    } else this.#state = { kind: "initialized", area };
  }

  /** The message to those who write into its area, before it is enabled. */
  enabledArea({ mode, scope }: Enabling): EnabledArea {
    const { id, area, file } = this;
    if (!area) throw new Refusal("EINVAL");
    const words = area.size / WORD_SIZE;
    if (!file) return { id, words, mode, scope };
    const { path, turns } = file;
    return { id, words, mode, scope, path, ...(turns !== undefined && { turns }) };
  }
}
