import { readdir, readFile, readlink } from "node:fs/promises";

/** The state of a listening socket in `/proc/net/tcp` (`TCP_LISTEN` in the kernel's `tcp_states.h`). */
const LISTENING = "0A";
/** 127.0.0.1 there, in the byte order of the machine. */
const LOOPBACK = "0100007F";

/**
 * The TCP ports of 127.0.0.1 that a process listens on.
 *
 * @returns undefined when there is no such process, or it is not to be looked into.
 */
export async function loopbackPorts(pid: number): Promise<number[] | undefined> {
  try {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(
      descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
    );
    const sockets = new Set(links.map((link) => link.match(/^socket:\[(\d+)\]$/)?.[1]));
    const table = await readFile(`/proc/${pid}/net/tcp`, "latin1");
    return table.split("\n").slice(1).flatMap((line) => {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address, port] = local?.split(":") ?? [];
      const isOurs = address === LOOPBACK && state === LISTENING && sockets.has(inode);
      return isOurs ? [parseInt(port, 16)] : [];
    });
  } catch {
    return undefined;
  }
}
