import type { Socket } from "node:net";
import { peerCredentials } from "./system_calls.ts";

/** The peer of a Unix socket, as the kernel noted it at `connect`: `SO_PEERCRED`, `unix(7)`. */
export interface Peer {
  /** Its process; 0 if that is in a pid namespace that this process does not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The peer of a socket that was accepted; undefined where the runtime does not give out its descriptor, or
 * where it is no Unix socket.
 */
export function peerOf(socket: Socket): Peer | undefined {
  // Node has `_handle.fd`, and so has Deno 2.9; neither promises it.
  const fd = (socket as unknown as { _handle?: { fd?: unknown } | null })
    ._handle?.fd;
  return typeof fd === "number" && fd >= 0 ? peerCredentials(fd) : undefined;
}
