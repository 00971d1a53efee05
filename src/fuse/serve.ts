import { Backings, type DeviceIoctl } from "./backings.ts";
import { Channel, type WriteAside } from "./channel.ts";
import { mountFuse, type MountOptions, unmountFuse } from "./mount.ts";
import { Notifier } from "./notifier.ts";
import type { Filesystem } from "./operations.ts";
import { REQUEST_OVERHEAD, Session, type SessionOptions } from "./session.ts";
import { type Tap, tapNotifications } from "./tap.ts";

/** The settings of a served connection. */
export interface ServeOptions extends Omit<SessionOptions, "reply" | "passthrough"> {
  /**
   * Threads of the pool that notifications may occupy at a time. Keep it two below
   * `UV_THREADPOOL_SIZE`: replies wake the threads in which notifications sleep, so the reading of
   * requests must never wait for one of them. @default {2}
   */
  readonly notifications?: number;
  /**
   * Performs `ioctl(2)`, which Node lacks, and returns its result, or throws an error whose
   * `code` is the errno's name. With it, passthrough is asked for.
   */
  readonly ioctl?: (fd: number, call: DeviceIoctl) => number;
  /**
   * Writes notifications, where `fs.write` would occupy the thread that calls it. That is the only thread
   * that answers the requests that the notification waits for.
   */
  readonly writeAside?: WriteAside | undefined;
  /** Sees every message, in both directions. */
  readonly tap?: Tap | undefined;
}

/** A served connection. */
export interface Connection {
  readonly notifier: Notifier;
  /** The number of messages whose reading has begun; see {@linkcode Channel.reads}. */
  readonly reads: number;
  /** Undefined before INIT, and without passthrough: the kernel has none, or there is no `ioctl`. */
  readonly backings: Backings | undefined;
  /** See {@linkcode Session.hasDirectMmap}. */
  readonly hasDirectMmap: boolean;
  /** Resolves when the kernel has ended the connection; rejects if reading failed. */
  readonly ended: Promise<void>;
}

/** A mounted filesystem; disposing of it unmounts. */
export interface FuseMount extends Connection, AsyncDisposable {
  readonly directory: string;
}

/**
 * Serves the connection of an open `/dev/fuse` that is mounted somewhere, or about to be.
 *
 * @param filesystem The filesystem, or a function that makes it for the connection it is to notify.
 */
export function serveDescriptor(
  fd: number,
  filesystem: Filesystem | ((connection: Connection) => Filesystem),
  options: ServeOptions = {},
): Connection {
  let end: (error: Error | undefined) => void;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => error ? reject(error) : resolve();
  });
  const maxWrite = options.maxWrite ?? 1024 * 1024;
  const { ioctl, tap } = options;
  const backings = ioctl &&
    new Backings((call) => ioctl(fd, call), { hasEnded: () => channel.ended });
  const channel = new Channel(fd, {
    messageSize: maxWrite + REQUEST_OVERHEAD,
    writeAside: options.writeAside,
    receive: (message) => {
      tap?.request(message);
      session.receive(message);
    },
    ended: (error) => {
      session.close();
      end(error);
    },
  });
  const connection: Connection = {
    notifier: new Notifier(tapNotifications((bytes) => channel.notify(bytes), options), {
      concurrency: options.notifications ?? 2,
    }),
    get reads() {
      return channel.reads;
    },
    get backings() {
      return session.hasPassthrough ? backings : undefined;
    },
    get hasDirectMmap() {
      return session.hasDirectMmap;
    },
    ended,
  };
  const session = new Session(
    typeof filesystem === "function" ? filesystem(connection) : filesystem,
    {
      ...options,
      maxWrite,
      passthrough: ioctl !== undefined,
      reply: (bytes) => {
        tap?.reply(bytes);
        channel.reply(bytes);
      },
    },
  );
  return connection;
}

/**
 * Mounts a filesystem on a directory and serves it until it is unmounted, by disposal or by umount(8).
 *
 * @throws {MountError} if it cannot be mounted; then nothing is left behind.
 */
export async function serve(
  directory: string,
  filesystem: Filesystem | ((connection: Connection) => Filesystem),
  options: ServeOptions & MountOptions,
): Promise<FuseMount> {
  const fd = await mountFuse(directory, options);
  const connection = serveDescriptor(fd, filesystem, options);
  let gone = false;
  connection.ended.then(() => gone = true, () => gone = true);
  return {
    directory,
    notifier: connection.notifier,
    get reads() {
      return connection.reads;
    },
    get backings() {
      return connection.backings;
    },
    get hasDirectMmap() {
      return connection.hasDirectMmap;
    },
    ended: connection.ended,
    async [Symbol.asyncDispose]() {
      if (!gone) await unmountFuse(directory);
      await connection.ended;
    },
  };
}
