/** Signals to processes by descriptors, so that none ever goes to another process that got the number. */
import { closeSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type * as Koffi from "koffi";

const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const POLLIN = 1;
/** `struct pollfd`: the descriptor, what is asked for, what there is. */
const POLLFD_SIZE = 8;

interface Calls {
  readonly koffi: typeof Koffi;
  readonly syscall: (...numbers: number[]) => number;
  readonly poll: (fds: Uint8Array, count: number, timeout: number) => number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded) return loaded;
  const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
  const libc = koffi.load(null);
  return loaded = {
    koffi,
    syscall: libc.func("long syscall(long, long, long, long, long)"),
    poll: libc.func("int poll(void *, unsigned long, int)"),
  };
}

/** A process, whatever becomes of its number. */
export class ProcessHandle implements Disposable {
  readonly pid: number;
  readonly #fd: number;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** @returns undefined when there is no such process. */
  static open(pid: number): ProcessHandle | undefined {
    const { koffi, syscall } = calls();
    const fd = syscall(PIDFD_OPEN, pid, 0, 0, 0);
    if (fd >= 0) return new ProcessHandle(pid, fd);
    const errno = koffi.errno();
    if (errno === constants.errno.ESRCH || errno === constants.errno.EINVAL) return undefined;
    throw new Error(`Cannot open process ${pid}: ${getSystemErrorName(-errno)}`);
  }

  /** Whether all its threads have ended, though its parent may not know yet. */
  get hasEnded(): boolean {
    const pollfd = Buffer.alloc(POLLFD_SIZE);
    pollfd.writeInt32LE(this.#fd, 0);
    pollfd.writeInt16LE(POLLIN, 4);
    return calls().poll(pollfd, 1, 0) > 0;
  }

  /** Sends a signal; without effect when the process has ended. */
  signal(name: NodeJS.Signals): void {
    calls().syscall(PIDFD_SEND_SIGNAL, this.#fd, constants.signals[name], 0, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
