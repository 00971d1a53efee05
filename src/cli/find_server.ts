import { readlink, statfs } from "node:fs/promises";
import { join } from "node:path";
import { askServer } from "../messages/control_client.ts";
import { readMountTable } from "../fuse/mod.ts";
import { inTime } from "../base/in_time.ts";
import { SUBTYPE } from "../server/server.ts";
import { DEFAULT_STATE } from "./options.ts";
import { UserError } from "../base/user_error.ts";

/** ms that a mount has to say where its control socket is. */
const TIMEOUT = 5000;

/** The mount points of kcovfs, as this process sees them. */
export async function findMounts(): Promise<string[]> {
  const mounts = (await readMountTable()).filter(({ type }) => type === `fuse.${SUBTYPE}`);
  return mounts.map(({ mountPoint }) => mountPoint);
}

/** The mount that a command means: `--mount`, else `KCOVFS_MOUNT`, else the only one there is. */
export async function findMount(mount: string | undefined): Promise<string> {
  const named = mount ?? process.env["KCOVFS_MOUNT"];
  if (named) return named;
  const mounts = await findMounts();
  if (mounts.length === 1) return mounts[0];
  if (mounts.length === 0) {
    throw new UserError("Cannot find a server: nothing is mounted; run 'kcovfs mount DIR' first");
  }
  const list = mounts.join(", ");
  throw new UserError(
    `Cannot choose a server: ${mounts.length} are mounted (${list}); say which with --mount`,
  );
}

/** The path of the control socket of the server that a command means. */
export async function findSocket(mount: string | undefined): Promise<string> {
  const directory = await findMount(mount);
  try {
    // The kernel still knows the link in a dead mount, but not the mount's size.
    const answer = statfs(directory).then(() => readlink(join(directory, "kcovfs", "socket")));
    return await inTime(answer, TIMEOUT, { reason: "it does not answer" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" || code === "ENOTDIR"
      ? "no server is mounted there; run 'kcovfs mount' first"
      : code === "ENOTCONN" || code === "ECONNABORTED"
      ? `its server is dead; run 'kcovfs unmount ${directory}'`
      : message;
    throw new UserError(`Cannot reach the server of ${directory}: ${reason}`);
  }
}

/** Whether the command means a server: one is named, or something is mounted. */
export async function isServerMeant(mount: string | undefined): Promise<boolean> {
  return isMountNamed(mount) || (await findMounts()).length > 0;
}

/** Whether the user has named a mount, by `--mount` or in the environment. */
export function isMountNamed(mount: string | undefined): boolean {
  return Boolean(mount ?? process.env["KCOVFS_MOUNT"]);
}

/** The folder of the symbols: `--state`, else the running server's, else the default if none runs. */
export async function stateFor(options: { state?: string; mount?: string }): Promise<string> {
  const { state, mount } = options;
  if (state !== undefined) return state;
  if (!await isServerMeant(mount)) return DEFAULT_STATE;
  return (await askServer(await findSocket(mount), "server")).state;
}
