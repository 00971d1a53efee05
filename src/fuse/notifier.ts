import * as abi from "./abi.ts";
import { type Struct, Writer } from "./wire.ts";
import { type NodeId, unique } from "./ids.ts";

/** Sends bytes to the kernel on a thread of its own and resolves to an errno, or 0. */
export type SendNotification = (bytes: Uint8Array) => Promise<number>;

/**
 * Tells the kernel of changes behind its back. A notification sleeps in the kernel as long as its
 * pages are locked or being written back, that is, until we answer other requests. So at
 * most `concurrency` of them are under way, and the rest wait here.
 *
 * Contract: never wait for one of these promises before answering a request about the same pages.
 */
export class Notifier {
  readonly #send: SendNotification;
  readonly #concurrency: number;
  readonly #queue: (() => void)[] = [];
  #active = 0;

  /** @param options `concurrency`: threads of the pool that notifications may occupy. */
  constructor(send: SendNotification, options: { concurrency: number }) {
    this.#send = send;
    this.#concurrency = options.concurrency;
  }

  /**
   * Unmaps and drops a file's cached pages; dirty ones come back in a WRITE first.
   *
   * @param range In bytes; a length of 0 means to the end.
   * @returns 0, or an errno: ENOENT if the kernel does not know the node.
   */
  invalInode(nodeid: NodeId, range: { offset: number; length: number }): Promise<number> {
    const value = { ino: nodeid, off: range.offset, len: range.length };
    return this.#notify(abi.FUSE_NOTIFY.INVAL_INODE, abi.fuse_notify_inval_inode_out, { value });
  }

  /** Drops a name from the kernel's cache, so that it is looked up again. */
  invalEntry(parent: number, name: string): Promise<number> {
    const bytes = Buffer.from(`${name}\0`);
    const value = { parent, namelen: bytes.length - 1, flags: 0 };
    return this.#notify(abi.FUSE_NOTIFY.INVAL_ENTRY, abi.fuse_notify_inval_entry_out, {
      value,
      data: bytes,
    });
  }

  /**
   * Writes into a file's cached pages, in place if they are mapped, and extends the file if the
   * data lies beyond its end. A page that is covered from its start to its end, or to the end of the
   * file, needs no READ any more.
   */
  store(nodeid: NodeId, offset: number, data: Uint8Array): Promise<number> {
    const value = { nodeid, offset, size: data.length };
    return this.#notify(abi.FUSE_NOTIFY.STORE, abi.fuse_notify_store_out, { value, data });
  }

  async #notify<T extends object>(
    code: number,
    layout: Struct<T>,
    body: { value: T; data?: Uint8Array },
  ): Promise<number> {
    const writer = new Writer(64 + (body.data?.length ?? 0));
    const len = abi.fuse_out_header.size + layout.size + (body.data?.length ?? 0);
    abi.fuse_out_header.encode(writer, { len, error: code, unique: unique(0) });
    layout.encode(writer, body.value);
    if (body.data) writer.bytes(body.data);
    // A notification that is done hands its place to the next in the queue.
    if (this.#active < this.#concurrency) this.#active++;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      return await this.#send(writer.finish());
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#active--;
    }
  }
}
