import { closeSync, openSync } from "node:fs";
import { Deferred } from "../base/deferred.ts";
import { mountFuse, type MountOptions, openFuseDevice, unmountFuse } from "../fuse/mod.ts";
import { Server, type ServerOptions, SUBTYPE } from "./server.ts";

/** A server with a mount; disposing of it unmounts. */
export interface MountedServer extends AsyncDisposable {
  readonly server: Server;
  /** Resolves when it is unmounted, whoever does it. */
  readonly ended: Promise<void>;
}

/** Descriptors that are kept for the end: to unmount, a program must be started. */
const SPARE = 8;

/**
 * Mounts on a directory; resolves when it is served.
 *
 * @param options `namespace` and `isEmpty`: see {@linkcode MountOptions}.
 * @throws {MountError} if it cannot mount; then nothing is left behind.
 */
export async function mountServer(
  directory: string,
  { namespace, isEmpty, ...options }: ServerOptions & Pick<MountOptions, "namespace" | "isEmpty">,
): Promise<MountedServer> {
  // On a machine without FUSE, this is the only error to report.
  closeSync(await openFuseDevice());
  const server = await Server.start(options);
  let fd: number;
  try {
    fd = await mountFuse(directory, { subtype: SUBTYPE, namespace, isEmpty });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const spare = Array.from({ length: SPARE }, () => openSync("/dev/null", "r"));
  let isMounted = true;
  const ready = new Deferred<void>();
  const onReady = () => ready.resolve();
  const ended = server.serve(fd, { root: directory, directory, namespace, onReady })
    .finally(() => isMounted = false);
  await Promise.race([ready.promise, ended.catch(() => {})]);
  return {
    server,
    ended,
    async [Symbol.asyncDispose]() {
      for (const fd of spare.splice(0)) closeSync(fd);
      if (isMounted) await unmountFuse(directory, { namespace });
      await ended.catch(() => {});
      await server[Symbol.asyncDispose]();
    },
  };
}
