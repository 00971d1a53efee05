/** A stand-in for `/dev/fuse` without a mount: a pair of sockets that keep messages apart. */
import * as fs from "node:fs";
import koffi from "koffi";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
/** ms after which an awaited message counts as missing. */
const PATIENCE = 5000;

const libc = koffi.load(null);
const socketpair = libc.func("int socketpair(int domain, int type, int protocol, _Out_ int *fds)");
const shutdown = libc.func("int shutdown(int fd, int how)");

/** The test has one end, as the kernel does; the channel has the other. */
export class FakeDevice implements Disposable {
  /** The channel's end, which the channel closes. */
  readonly fd: number;
  readonly #own: number;
  #isOpen = true;

  constructor() {
    const pair = [0, 0];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) !== 0) {
      throw new Error(`Cannot make a pair of sockets: errno ${koffi.errno()}`);
    }
    [this.fd, this.#own] = pair;
  }

  /** Sends a message to the channel. */
  send(message: Uint8Array): void {
    fs.writeSync(this.#own, message);
  }

  /** The next message of the channel's. */
  async receive(): Promise<Uint8Array> {
    const buffer = new Uint8Array(1 << 20);
    const size = await within<number>(PATIENCE, (done) => {
      fs.read(this.#own, buffer, 0, buffer.length, null, (_, size) => done(size));
    });
    return buffer.slice(0, size);
  }

  /** From now on the channel's writes fail with EPIPE. */
  refuseWrites(): void {
    shutdown(this.#own, 0);
  }

  /** Ends the connection for readers, while writes that sleep go on sleeping. */
  endReads(): void {
    shutdown(this.#own, 1);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) fs.closeSync(this.#own);
    this.#isOpen = false;
  }
}

/** Waits so many ms for a callback. */
export async function within<T>(ms: number, work: (done: (value: T) => void) => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came within ${ms} ms`)), ms);
      work(resolve);
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a descriptor is open. */
export function isOpen(fd: number): boolean {
  try {
    fs.fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
