import * as fs from "node:fs";

export interface ChannelOptions {
  /** Takes each message. The bytes are valid during the call only. */
  readonly receive: (message: Uint8Array) => void;
  /** Called once when the kernel has ended the connection (unmount, abort) or reading failed. */
  readonly ended: (error: Error | undefined) => void;
  /** Bytes of the largest message: `max_write` and the structures before it. */
  readonly messageSize: number;
  /** See `ServeOptions`. */
  readonly writeAside?: WriteAside | undefined;
}

/** Writes on another thread, which may sleep meanwhile; resolves to 0 or an errno. */
export type WriteAside = (fd: number, bytes: Uint8Array) => Promise<number>;

/**
 * The descriptor of `/dev/fuse`, on Node's thread pool. One read is under way at a time. It begins when the
 * last message has been handled as far as possible without waiting: to wake a thread of the pool takes
 * longer than most replies do, and would delay them (measured: 35 instead of 24 µs a fault).
 * Messages are delivered in the order in which the kernel sent them.
 *
 * Replies are written at once: the kernel only copies them. Notifications may sleep in the kernel until
 * *another request of ours is answered*. So they are written on the thread pool, and nothing that answers
 * requests awaits them.
 */
export class Channel {
  readonly #fd: number;
  readonly #options: ChannelOptions;
  readonly #buffer: Buffer;
  #reads = 0;
  #ended = false;
  #writes = 0;
  #closed = false;

  /** @param fd An open `/dev/fuse`; the channel closes it. */
  constructor(fd: number, options: ChannelOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#buffer = Buffer.allocUnsafe(options.messageSize);
    this.#arm();
  }

  /**
   * The number of reads begun. The last of them brought the message that is being handled: its
   * bytes were copied from the kernel some time after that read began.
   */
  get reads(): number {
    return this.#reads;
  }

  get ended(): boolean {
    return this.#ended;
  }

  #arm(): void {
    const buffer = this.#buffer;
    this.#reads++;
    fs.read(this.#fd, buffer, 0, buffer.length, null, (error, size) => {
      if (error) return this.#readFailed(error);
      if (size === 0) return this.#end(undefined);
      setImmediate(() => this.#arm());
      this.#options.receive(buffer.subarray(0, size));
    });
  }

  #readFailed(error: NodeJS.ErrnoException): void {
    // ENOENT: the request was interrupted while it was copied. ENODEV: unmounted. ECONNABORTED: aborted.
    if (error.code === "ENOENT" || error.code === "EINTR" || error.code === "EAGAIN") {
      return this.#arm();
    }
    this.#end(error.code === "ENODEV" || error.code === "ECONNABORTED" ? undefined : error);
  }

  #end(error: Error | undefined): void {
    this.#ended = true;
    this.#options.ended(error);
    this.#closeWhenIdle();
  }

  /**
   * Sends a reply.
   *
   * @throws if the kernel refuses the bytes, which is a bug of ours. A reply to a request that no
   * longer exists (it was interrupted, or the filesystem unmounted) is dropped.
   */
  reply(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      fs.writeSync(this.#fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENODEV" && code !== "ECONNABORTED") throw error;
    }
  }

  /**
   * Sends a notification and resolves when the kernel has carried it out.
   *
   * @returns 0, or the errno with which the kernel refused.
   */
  notify(bytes: Uint8Array): Promise<number> {
    if (this.#ended) return Promise.resolve(ENODEV);
    this.#writes++;
    const { writeAside = writeOnPool } = this.#options;
    return writeAside(this.#fd, bytes).then((errno) => {
      this.#writes--;
      this.#closeWhenIdle();
      return errno;
    });
  }

  /** The descriptor may be closed only while no thread is using it. */
  #closeWhenIdle(): void {
    if (!this.#ended || this.#writes > 0 || this.#closed) return;
    this.#closed = true;
    fs.close(this.#fd, () => {});
  }
}

const ENODEV = 19;

function writeOnPool(fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve) => {
    fs.write(fd, bytes, 0, bytes.length, null, (error) => {
      resolve(error ? Math.abs((error as NodeJS.ErrnoException).errno ?? ENODEV) : 0);
    });
  });
}
