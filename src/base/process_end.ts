import { constants } from "node:os";
import { libc } from "./system_calls.ts";
import { Pidfd } from "./pidfd.ts";

/** `PIDFD_GET_INFO` of `include/uapi/linux/pidfd.h`, Linux 6.13: `_IOWR(0xff, 11, struct pidfd_info)`. */
const PIDFD_GET_INFO = 0xc040ff0b;
/** The bytes of `struct pidfd_info` in its first version, and where its `mask` and its `exit_code` are. */
const INFO_SIZE = 64;
const MASK = 0;
const EXIT_CODE = 60;
/** In `mask`: that `exit_code` is asked for, and that it is there. Linux 6.15. */
const PIDFD_INFO_EXIT = 8n;
/** The low bits of a wait status (wait(2)): the signal that has ended the process. */
const SIGNAL_BITS = 0x7f;
/** ms between two looks at a process that is about to end, and ms after which looking stops. */
const INTERVAL = 10;
const PATIENCE = 2000;

/** Finds out which signal ends a process that is not a child of this one. */
export class ProcessEnd implements Disposable {
  readonly #process: Pidfd;
  #isOpen = true;
  /** The wait status (wait(2)), once the process has ended; 0 where nobody can tell. */
  #status: number | undefined;

  private constructor(process: Pidfd) {
    this.#process = process;
  }

  /** @returns undefined where there is no such process, or the kernel has no descriptors of processes. */
  static watch(pid: number): ProcessEnd | undefined {
    try {
      return new ProcessEnd(Pidfd.open(pid));
    } catch {
      return undefined;
    }
  }

  /**
   * Waits a while for the process to end.
   *
   * @returns undefined where it lives on, has ended by itself, or nobody can tell. The kernel tells once the
   * parent has asked, from Linux 6.15 on. (`/proc/PID/stat` would tell before, but may wait for a lock.)
   */
  async signal(): Promise<NodeJS.Signals | undefined> {
    const deadline = performance.now() + PATIENCE;
    while (this.#status === undefined) {
      if (!this.#isOpen) return undefined;
      if (this.#process.hasEnded) this.#status = this.#statusOfReaped();
      if (this.#status !== undefined) break;
      if (performance.now() > deadline) return undefined;
      await new Promise((resolve) => setTimeout(resolve, INTERVAL).unref());
    }
    const number = this.#status & SIGNAL_BITS;
    const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
    return names.find(([, value]) => value === number)?.[0];
  }

  #statusOfReaped(): number | undefined {
    const info = new DataView(new ArrayBuffer(INFO_SIZE));
    info.setBigUint64(MASK, PIDFD_INFO_EXIT, true);
    const ioctl = libc("int ioctl(int, unsigned long, void *)");
    const result = ioctl(this.#process.fd, PIDFD_GET_INFO, new Uint8Array(info.buffer));
    if (result < 0 || (info.getBigUint64(MASK, true) & PIDFD_INFO_EXIT) === 0n) return undefined;
    return info.getInt32(EXIT_CODE, true);
  }

  [Symbol.dispose](): void {
    this.#isOpen = false;
    this.#process[Symbol.dispose]();
  }
}
