import { constants } from "node:os";
import { ENOTSUPP, KCOV_TRACE_CMP, KCOV_TRACE_PC, MAX_WORDS } from "./abi.ts";
import type { Enabling, InstanceArea, Mode } from "./area_keeper.ts";
import type { Owner } from "./callers.ts";

/** What an instance is, as `kcov->mode` and `kcov->t` say in the kernel. */
export type State<A extends InstanceArea = InstanceArea> =
  | { readonly kind: "opened" }
  | { readonly kind: "initialized"; readonly area: A }
  | {
    readonly kind: "enabled";
    readonly area: A;
    readonly owner: Owner;
    readonly scope: Scope;
    readonly mode: Mode;
  };

/** The targets that an instance is told of, by their numbers. */
export type Scope = "all" | ReadonlySet<number>;

type RefusalName =
  | "EBUSY"
  | "EEXIST"
  | "EFAULT"
  | "EINVAL"
  | "EIO"
  | "ENOMEM"
  | "ENOTSUPP"
  | "ENOTTY";

/** Why an ioctl is refused: an errno of Linux's, which may be above 511. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly errno: number;

  constructor(name: RefusalName) {
    super(name);
    this.errno = name === "ENOTSUPP" ? ENOTSUPP : constants.errno[name];
  }
}

/**
 * What one `open` of `kcov` creates. Each method checks everything and then changes the state in one
 * assignment, or throws {@linkcode Refusal} and changes nothing. The errors and their order are those
 * of `kcov_ioctl` and `kcov_ioctl_locked` in `kernel/kcov.c`.
 */
export class Instance<A extends InstanceArea = InstanceArea> {
  /** The node id of its inode. */
  readonly id: number;
  /** The scope of the file that was opened, which KCOV_ENABLE takes. */
  readonly fileScope: Scope;
  #state: State<A> = { kind: "opened" };

  constructor(id: number, fileScope: Scope = "all") {
    this.id = id;
    this.fileScope = fileScope;
  }

  get state(): State<A> {
    return this.#state;
  }

  get area(): A | undefined {
    return this.#state.kind === "opened" ? undefined : this.#state.area;
  }

  /** What it is told of while it is enabled. */
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
   * KCOV_ENABLE, and KCOV_REMOTE_ENABLE before its handles are looked at.
   *
   * @param options `isBusy`: whether the calling thread has an instance enabled. `canCompare`: whether
   * comparisons can be had.
   */
  checkEnable(mode: bigint, options: { isBusy: boolean; canCompare: boolean }): Mode {
    if (this.#state.kind !== "initialized") throw new Refusal("EINVAL");
    if (options.isBusy) throw new Refusal("EBUSY");
    if (mode !== KCOV_TRACE_CMP && mode !== KCOV_TRACE_PC) throw new Refusal("EINVAL");
    if (mode === KCOV_TRACE_PC) return "pc";
    if (!options.canCompare) throw new Refusal("ENOTSUPP");
    return "cmp";
  }

  enable({ owner, scope, mode }: Enabling): void {
    if (this.#state.kind !== "initialized") throw new Refusal("EINVAL");
    this.#state = { kind: "enabled", area: this.#state.area, owner, scope, mode };
  }

  /** KCOV_DISABLE and KCOV_RESET_TRACE: for the owner, with an argument of 0. */
  checkOwned(tid: number, argument: bigint): void {
    if (argument !== 0n || this.owner?.tid !== tid) throw new Refusal("EINVAL");
  }

  /** Gives the instance back; the data stays. */
  disable(): void {
    if (this.#state.kind !== "enabled") throw new Refusal("EINVAL");
    this.#state = { kind: "initialized", area: this.#state.area };
  }
}

export function inScope(scope: Scope, target: number): boolean {
  return scope === "all" || scope.has(target);
}
