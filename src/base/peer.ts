import type { Socket } from "node:net";
import { peerCredentials } from "./system_calls.ts";

/** Who connected a Unix socket, as the kernel noted it then: `SO_PEERCRED`, `unix(7)`. */
export interface Peer {
  /** Its process; 0 for one of a pid namespace that this process does not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who connected a socket that was accepted; undefined where the runtime keeps its descriptor to itself, or
 * where it is no Unix socket.
 */
export function peerOf(socket: Socket): Peer | undefined {
  // Node has it, and so has Deno 2.9, though neither promises it.
  const fd = (socket as unknown as { _handle?: { fd?: unknown } | null })
    ._handle?.fd;
  return typeof fd === "number" && fd >= 0 ? peerCredentials(fd) : undefined;
}
