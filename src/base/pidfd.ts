/** Descriptors of processes and threads (`pidfd_open(2)`). To ask them takes no lock of the process. */
import { constants } from "node:os";
import { errno, libc, SystemCallError } from "./system_calls.ts";

/** Of `include/uapi/asm-generic/unistd.h`; the same on all architectures. */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;
/** Of `include/uapi/linux/pidfd.h`: `O_EXCL`. */
const PIDFD_THREAD = 0x80;
/** `PIDFD_GET_UTS_NAMESPACE` of `include/uapi/linux/pidfd.h`, Linux 6.11: `_IO(0xff, 10)`. */
const PIDFD_GET_UTS_NAMESPACE = 0xff0a;
const POLLIN = 1;
const ESRCH = 3;

/** A process or a thread that cannot be mistaken for a later one of the same number. */
export class Pidfd implements Disposable {
  /** Readable once it has ended. Closed when this object is disposed of. */
  readonly fd: number;
  readonly #isThread: boolean;
  #isOpen = true;
  #hasEnded = false;

  private constructor(fd: number, isThread: boolean) {
    this.fd = fd;
    this.#isThread = isThread;
  }

  /**
   * @param options `isThread`: whether the number may be that of any thread, not only of a process's first.
   * Linux has that since 6.9.
   * @throws {SystemCallError} ESRCH or EINVAL when there is none; EINVAL where the kernel is older; EMFILE.
   */
  static open(pid: number, { isThread = false }: { isThread?: boolean } = {}): Pidfd {
    const call = libc("long syscall(long, int, unsigned int)");
    const fd = call(SYS_PIDFD_OPEN, pid, isThread ? PIDFD_THREAD : 0);
    if (fd >= 0) return new Pidfd(Number(fd), isThread);
    throw new SystemCallError(`Cannot open a descriptor of thread ${pid}`, errno());
  }

  /**
   * Whether it has ended by now; a process, when all its threads have. Only its namespaces tell that a
   * process's first thread has ended before the others, since it has given them back: `pidfd_poll` waits for
   * the others (`kernel/pid.c`, Linux 6.15).
   */
  get hasEnded(): boolean {
    if (this.#isOpen) {
      this.#hasEnded ||= this.#isReadable() || this.#isThread && this.#askNamespace() === "none";
    }
    return this.#hasEnded;
  }

  /** Sends a signal; without effect when it has ended. */
  signal(name: NodeJS.Signals): void {
    const call = libc("long syscall(long, int, int, void *, unsigned int)");
    call(SYS_PIDFD_SEND_SIGNAL, this.fd, constants.signals[name], null, 0);
  }

  #isReadable(): boolean {
    const poll = Int32Array.of(this.fd, POLLIN);
    return libc("int poll(void *, unsigned long, int)")(poll, 1, 0) > 0;
  }

  /** Whether it has a namespace; "unknown" where the kernel does not tell, or does not tell us. */
  #askNamespace(): "some" | "none" | "unknown" {
    const ioctl = libc("int ioctl(int, unsigned long, unsigned long)");
    const namespace = ioctl(this.fd, PIDFD_GET_UTS_NAMESPACE, 0);
    if (namespace < 0) return errno() === ESRCH ? "none" : "unknown";
    close(namespace);
    return "some";
  }

  /** Whether {@linkcode hasEnded} also tells of a first thread that has ended before the others. */
  get tellsOfFirstThreads(): boolean {
    return this.#askNamespace() === "some";
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    close(this.fd);
  }
}

/** Closes a descriptor by libc, not by Node: Deno does not know descriptors that it has not opened. */
export function close(fd: number): void {
  libc("int close(int)")(fd);
}
