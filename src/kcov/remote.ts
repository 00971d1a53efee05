import * as abi from "./abi.ts";
import type { Callers, Owner } from "./callers.ts";
import { type Instance, Refusal } from "./instance.ts";
import type { Scope } from "./source.ts";
import type { ThreadId } from "../base/thread_id.ts";
import { targetId } from "./ids.ts";

/** A `struct kcov_remote_arg`. */
export interface RemoteArg {
  readonly mode: bigint;
  readonly handles: readonly bigint[];
  /** 0 for none. */
  readonly commonHandle: bigint;
}

/**
 * Takes KCOV_REMOTE_ENABLE's argument from the caller, as `kcov_ioctl` in `kernel/kcov.c` does.
 *
 * @param call `data`: the structure's head, as FUSE brings it; `arg`: its address, from which the handles
 * are read.
 * @throws {Refusal} EFAULT, or EINVAL if there are too many handles.
 */
export async function readRemoteArg(
  call: { arg: bigint; tid: ThreadId; data?: Uint8Array },
  callers: Pick<Callers, "readMemory">,
): Promise<RemoteArg> {
  const { data, arg, tid } = call;
  if (!data || data.length < abi.KCOV_REMOTE_ARG.handles) throw new Refusal("EFAULT");
  const head = new DataView(data.buffer, data.byteOffset, data.length);
  const count = head.getUint32(abi.KCOV_REMOTE_ARG.num_handles, true);
  if (count > abi.KCOV_REMOTE_MAX_HANDLES) throw new Refusal("EINVAL");
  const at = arg + BigInt(abi.KCOV_REMOTE_ARG.handles);
  const bytes = count === 0
    ? new Uint8Array(0)
    : await callers.readMemory(tid, { at, size: 8 * count });
  if (!bytes) throw new Refusal("EFAULT");
  return {
    mode: BigInt(head.getUint32(abi.KCOV_REMOTE_ARG.trace_mode, true)),
    handles: [...new BigUint64Array(bytes.slice().buffer)],
    commonHandle: head.getBigUint64(abi.KCOV_REMOTE_ARG.common_handle, true),
  };
}

/** The targets that handles pick: the handles' lower halves are the targets' numbers. */
export function scopeOf(remote: RemoteArg): Scope {
  const handles = [...remote.handles, remote.commonHandle].filter((handle) => handle !== 0n);
  return new Set(handles.map((handle) => targetId(Number(handle & abi.KCOV_INSTANCE_MASK))));
}

/** The holder of a handle. */
interface Holder {
  readonly instance: Instance;
  readonly owner: Owner;
}

/** The handles in use, each by one instance: `kcov_remote_map` in `kernel/kcov.c`. */
export class HandleTable {
  readonly #holders = new Map<bigint, Holder>();

  /** The threads that stand in the way of a KCOV_REMOTE_ENABLE. */
  holdersOf({ handles, commonHandle }: RemoteArg): Owner[] {
    return [...handles, commonHandle].flatMap((handle) => this.#holders.get(handle)?.owner ?? []);
  }

  /**
   * Takes all handles of a KCOV_REMOTE_ENABLE, or none.
   *
   * @throws {Refusal} EINVAL for a handle that is invalid in its place, EEXIST for one that is in use, in
   * the order of `kcov_ioctl_locked`.
   */
  take(remote: RemoteArg, holder: Holder): void {
    const taken = new Set<bigint>();
    const add = (handle: bigint, subsystem: bigint) => {
      if (!isValid(handle, subsystem)) throw new Refusal("EINVAL");
      if (taken.has(handle) || this.#isInUse(handle)) throw new Refusal("EEXIST");
      taken.add(handle);
    };
    for (const handle of remote.handles) add(handle, abi.KCOV_SUBSYSTEM_USB);
    if (remote.commonHandle !== 0n) add(remote.commonHandle, abi.KCOV_SUBSYSTEM_COMMON);
    for (const handle of taken) this.#holders.set(handle, holder);
  }

  /** When a thread ends, its handles are free. */
  #isInUse(handle: bigint): boolean {
    return this.#holders.get(handle)?.owner.hasEnded === false;
  }

  /** Gives an instance's handles back. */
  free(instance: Instance): void {
    for (const [handle, holder] of this.#holders) {
      if (holder.instance === instance) this.#holders.delete(handle);
    }
  }
}

/** Checks as `kcov_check_handle` does, which is told the valid subsystem for the handle's place. */
function isValid(handle: bigint, subsystem: bigint): boolean {
  if ((handle & ~(abi.KCOV_SUBSYSTEM_MASK | abi.KCOV_INSTANCE_MASK)) !== 0n) return false;
  if ((handle & abi.KCOV_SUBSYSTEM_MASK) !== subsystem) return false;
  return subsystem !== abi.KCOV_SUBSYSTEM_COMMON || (handle & abi.KCOV_INSTANCE_MASK) !== 0n;
}
