import { errno, libc, libcAside, SystemCallError } from "./system_calls.ts";
import { close, type Pidfd } from "./pidfd.ts";

const EPOLL_CLOEXEC = 0x80000;
const EFD_CLOEXEC_NONBLOCK = 0x80800;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
/** `struct epoll_event` is packed on x86-64 alone (`include/uapi/linux/eventpoll.h`). */
const EVENT = process.arch === "x64" ? { size: 12, data: 4 } : { size: 16, data: 8 };
const MOST_EVENTS = 64;
/**
 * ms that the thread of the pool waits at a time. It matters in one case only: a process that exits without
 * disposing of this waits for its threads that long.
 */
const WAIT = 1000;
/** The event number that only wakes the thread. */
const WAKE = 0;

/**
 * Reports the end of threads as soon as they end, by `epoll(7)` on a thread of the pool. It occupies that
 * thread while anything is watched, and up to a second longer.
 */
export class ThreadEnds implements AsyncDisposable {
  readonly #watched = new Map<number, { pidfd: Pidfd; onEnd: () => void }>();
  readonly #events = new Uint8Array(EVENT.size * MOST_EVENTS);
  #epoll = -1;
  #wake = -1;
  #next = WAKE + 1;
  #waiting: Promise<void> | undefined;
  #isDisposed = false;

  /**
   * Calls `onEnd` once, when the thread has ended, and never before this returns.
   *
   * @param pidfd Must not be disposed of before the returned function was called.
   * @returns a function that ends the watch.
   * @throws {SystemCallError} EMFILE or ENOMEM.
   */
  watch(pidfd: Pidfd, onEnd: () => void): () => void {
    this.#open();
    const number = this.#next++;
    this.#control(EPOLL_CTL_ADD, pidfd.fd, number);
    this.#watched.set(number, { pidfd, onEnd });
    this.#waiting ??= this.#wait();
    return () => this.#forget(number);
  }

  #open(): void {
    if (this.#epoll >= 0) return;
    const epoll = libc("int epoll_create1(int)")(EPOLL_CLOEXEC);
    if (epoll < 0) throw new SystemCallError("Cannot watch threads", errno());
    const wake = libc("int eventfd(unsigned int, int)")(0, EFD_CLOEXEC_NONBLOCK);
    if (wake < 0) {
      const number = errno();
      close(epoll);
      throw new SystemCallError("Cannot watch threads", number);
    }
    [this.#epoll, this.#wake] = [epoll, wake];
    this.#control(EPOLL_CTL_ADD, wake, WAKE);
  }

  #control(operation: number, fd: number, number: number): void {
    const event = new Uint8Array(EVENT.size);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setUint32(EVENT.data, number, true);
    const result = libc("int epoll_ctl(int, int, int, void *)")(this.#epoll, operation, fd, event);
    if (result < 0) throw new SystemCallError("Cannot watch a thread", errno());
  }

  #forget(number: number): void {
    const watched = this.#watched.get(number);
    if (!watched) return;
    this.#watched.delete(number);
    this.#control(EPOLL_CTL_DEL, watched.pidfd.fd, number);
  }

  async #wait(): Promise<void> {
    const wait = libcAside("int epoll_wait(int, void *, int, int)");
    while (this.#watched.size > 0 && !this.#isDisposed) {
      const count = await new Promise<number>((resolve) =>
        wait(this.#epoll, this.#events, MOST_EVENTS, WAIT, (_, count) => resolve(count))
      );
      for (let i = 0; i < count; i++) {
        const view = new DataView(this.#events.buffer, i * EVENT.size);
        const number = view.getUint32(EVENT.data, true);
        const onEnd = this.#watched.get(number)?.onEnd;
        this.#forget(number);
        onEnd?.();
      }
    }
    // At once: threads that are watched from here on need a new wait.
    this.#waiting = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    if (this.#epoll < 0) return;
    if (this.#waiting) {
      // A call on the pool alone does not keep the process alive.
      const alive = setInterval(() => {}, WAIT);
      libc("int64_t write(int, const void *, size_t)")(this.#wake, Int32Array.of(1, 0), 8);
      await this.#waiting;
      clearInterval(alive);
    }
    close(this.#wake);
    close(this.#epoll);
    this.#epoll = -1;
  }
}
