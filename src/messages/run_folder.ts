import { chmod, lstat } from "node:fs/promises";
import { connect } from "node:net";
import * as path from "node:path";
import { type FolderKind, LockedFolder, removeAbandoned } from "../base/locked_folder.ts";
import { makeFolder } from "../base/make_folder.ts";

/** The folder of servers' sockets; each is in a folder whose name begins with the process id. */
export const RUN_PLACE = "/run/kcovfs";
/** The name of a server's socket in its folder. */
export const SOCKET_NAME = "socket";

/** The folders of servers in that place; a server's mount may be beside them. */
export const RUN_FOLDERS: FolderKind = {
  name: /^[1-9]\d*-[^/]+$/,
  isInUse: isListening,
};

/**
 * Makes this server's folder, which is locked while the server lives, and removes the folders of servers that
 * were killed, in whatever pid namespace they were.
 *
 * Nobody but this user can enter it before {@linkcode openRunFolder}.
 */
export async function makeRunFolder(): Promise<LockedFolder> {
  await makeFolder(RUN_PLACE, 0o755);
  await removeAbandoned(RUN_PLACE, RUN_FOLDERS);
  return LockedFolder.make(path.join(RUN_PLACE, `${process.pid}-`));
}

/** Lets everybody reach the files in it, and nothing else. */
export async function openRunFolder(folder: LockedFolder): Promise<void> {
  await chmod(folder.path, 0o755);
}

/** Whether somebody serves in a folder: older versions do not lock theirs. */
async function isListening(folder: string): Promise<boolean> {
  const file = path.join(folder, SOCKET_NAME);
  const stats = await lstat(file).catch(() => undefined);
  if (!stats?.isSocket()) return false;
  return await new Promise((resolve) => {
    const socket = connect(file);
    const answer = (isListening: boolean) => {
      socket.destroy();
      resolve(isListening);
    };
    socket.once("connect", () => answer(true));
    // A server whose queue is full listens, too.
    socket.once(
      "error",
      ({ code }: NodeJS.ErrnoException) => answer(code !== "ECONNREFUSED"),
    );
  });
}
