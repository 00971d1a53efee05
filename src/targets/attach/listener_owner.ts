import { readFile } from "node:fs/promises";

/** A listening socket's state: `TCP_LISTEN` in `include/net/tcp_states.h`. */
const LISTENING = "0A";

/**
 * The user whose sockets listen at a TCP port of this network; undefined if nobody listens, or if several
 * users do.
 */
export async function listenerOwner(port: number): Promise<number | undefined> {
  const tables = ["tcp", "tcp6"].map((name) =>
    readFile(`/proc/self/net/${name}`, "latin1").catch(() => "")
  );
  const owners = new Set(
    ownersOf(port, (await Promise.all(tables)).join("\n")),
  );
  return owners.size === 1 ? [...owners][0] : undefined;
}

/** The users of the sockets that listen at a port, by the text of `/proc/net/tcp` (`proc_net_tcp(5)`). */
export function ownersOf(port: number, text: string): number[] {
  return text.split("\n").flatMap((line) => {
    const [, local, , state, , , , uid] = line.trim().split(/\s+/);
    if (state !== LISTENING || parseInt(local.split(":")[1], 16) !== port) {
      return [];
    }
    return [Number(uid)];
  });
}
