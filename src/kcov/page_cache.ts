import type { NodeId } from "../fuse/mod.ts";

/** The kernel's page cache, as far as the device changes it. */
export interface PageCache {
  /** Unmaps and drops pages. Resolves when that is done; dirty pages have come back before. */
  invalInode(nodeid: NodeId, range: { offset: number; length: number }): Promise<number>;
  store(nodeid: NodeId, offset: number, data: Uint8Array): Promise<number>;
  /** The number of reads of the device file that have begun. */
  readonly reads: number;
}
