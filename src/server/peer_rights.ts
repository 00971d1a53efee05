import type { Peer } from "../base/peer.ts";

/** Whether a peer acts for the server: root and the server's own user do. */
export function isServerUser({ uid }: Peer): boolean {
  return uid === 0 || uid === process.geteuid!();
}

/** Whether a peer may attach to, or let go, a process of this owner; undefined if the owner is unknown. */
export function mayControl(peer: Peer, owner: number | undefined): boolean {
  return isServerUser(peer) || peer.uid === owner;
}
