import type { NodeId } from "../fuse/mod.ts";

/** The kernel's page cache, as the device changes it. */
export interface PageCache {
  /** Unmaps and drops pages; resolves when that is done, dirty pages having come back before. */
  invalInode(nodeid: NodeId, range: { offset: number; length: number }): Promise<number>;
  store(nodeid: NodeId, offset: number, data: Uint8Array): Promise<number>;
  /** The number of reads of the device file that have begun. */
  readonly reads: number;
}
