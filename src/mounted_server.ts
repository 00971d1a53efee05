import { mountFuse, unmountFuse } from "./fuse/mod.ts";
import { Server, type ServerOptions, SUBTYPE } from "./server.ts";

/** A server with a mount; disposing of it unmounts. */
export interface MountedServer extends AsyncDisposable {
  readonly server: Server;
  /** Resolves when it is unmounted, by whomever. */
  readonly ended: Promise<void>;
}

/**
 * Mounts on a directory.
 *
 * @throws {MountError} when that cannot be done; then nothing is left behind.
 */
export async function mountServer(
  directory: string,
  options: ServerOptions,
): Promise<MountedServer> {
  const server = await Server.start(options);
  let fd: number;
  try {
    fd = await mountFuse(directory, { subtype: SUBTYPE });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  let isMounted = true;
  const ended = server.serve(fd, { root: directory, directory }).finally(() => isMounted = false);
  ended.catch(() => {});
  return {
    server,
    ended,
    async [Symbol.asyncDispose]() {
      if (isMounted) await unmountFuse(directory);
      await ended.catch(() => {});
      await server[Symbol.asyncDispose]();
    },
  };
}
