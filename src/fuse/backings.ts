import * as abi from "./abi.ts";
import { Writer } from "./wire.ts";

/** An `ioctl(2)` on `/dev/fuse`. */
export interface DeviceIoctl {
  readonly request: number;
  /** The bytes to which the kernel is given a pointer. */
  readonly argument: Uint8Array;
}

/**
 * The files that may stand behind opened ones. If the answer to OPEN has FOPEN_PASSTHROUGH and
 * `backing_id`, the client's mappings are mappings of that file, and reads and writes go there, too. With
 * FOPEN_DIRECT_IO, READ and WRITE are still ours. FOPEN_KEEP_CACHE is refused, and so is an inode that is
 * open with another id, or without one: the client's open fails with EIO.
 *
 * RELEASE does not wait for mappings then: they hold only the file behind. They also hold the inode: once
 * the kernel has dropped its name, FORGET comes when the last of its descriptors and mappings is gone.
 *
 * The kernel takes regular files only, of a filesystem that is not itself stacked upon another. It takes them
 * only from root (CAP_SYS_ADMIN in the first user namespace).
 *
 * Measured on Linux 6.18; see `test/e2e/passthrough_test.ts`.
 */
export class Backings {
  readonly #call: (ioctl: DeviceIoctl) => number;
  readonly #hasEnded: () => boolean;

  /**
   * @param call Performs an `ioctl(2)` on the connection's descriptor; throws if that fails.
   * @param options `hasEnded`: whether the connection has ended; after that the descriptor may be closed.
   */
  constructor(call: (ioctl: DeviceIoctl) => number, options: { hasEnded: () => boolean }) {
    this.#call = call;
    this.#hasEnded = options.hasEnded;
  }

  /**
   * Makes an open file known to the kernel. The kernel holds a reference of its own: the descriptor may be
   * closed afterwards.
   *
   * @returns the `backing_id` for the answer to OPEN; give it back by {@linkcode close}.
   * @throws with the errno's name as `code`. EPERM: not root. EBADF: no open file. EINVAL or EISDIR: not
   * a regular file. ELOOP: its filesystem is stacked upon another. ENODEV: the connection has ended.
   */
  open(fd: number): number {
    if (this.#hasEnded()) {
      const error = new Error("Cannot put a file behind another: the connection has ended: ENODEV");
      throw Object.assign(error, { code: "ENODEV" });
    }
    const writer = new Writer(abi.fuse_backing_map.size);
    abi.fuse_backing_map.encode(writer, { fd, flags: 0 });
    return this.#call({ request: abi.FUSE_DEV_IOC_BACKING_OPEN, argument: writer.finish() });
  }

  /**
   * Makes the kernel forget an id. Files that were opened with it keep their file. The end of the connection
   * does the same for all ids.
   *
   * Do not call it before the client is back from `open(2)`; any other message about the file shows that it
   * is. The kernel looks the id up in the client's thread, after the answer to OPEN (measured: on a busy
   * machine an id that is given back right after the answer fails the client's open, with EIO).
   *
   * @throws ENOENT, as `code`, if there is no such id.
   */
  close(id: number): void {
    if (this.#hasEnded()) return;
    const writer = new Writer(4);
    writer.u32(id);
    this.#call({ request: abi.FUSE_DEV_IOC_BACKING_CLOSE, argument: writer.finish() });
  }
}
