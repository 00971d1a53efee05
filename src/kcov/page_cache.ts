import { PAGE_SIZE } from "./abi.ts";
import type { Area } from "./area.ts";

/** The kernel's page cache, as the device changes it. */
export interface PageCache {
  /** Unmaps and drops pages; resolves when that is done, dirty pages having come back before. */
  invalInode(nodeid: number, range: { offset: number; length: number }): Promise<number>;
  store(nodeid: number, offset: number, data: Uint8Array): Promise<number>;
  /** The number of reads of the device file that have begun. */
  readonly reads: number;
}

/** Pages that are stored ahead of a client that clears its area page by page, at most. */
const MOST_AHEAD = 256;

/**
 * Answers READs of an instance's pages above page 0, which need no protocol: what they lack is stored
 * before page 0 is answered.
 */
export class ReadAhead {
  readonly #id: number;
  readonly #cache: PageCache;
  /** Where a client that goes through its area is, and how far ahead of it was stored, in pages. */
  #nextPage = 0;
  #ahead = 0;

  /** @param id The instance's node id. */
  constructor(id: number, cache: PageCache) {
    this.#id = id;
    this.#cache = cache;
  }

  /** @param range In bytes; begins with a page. */
  read(area: Area, range: { offset: number; size: number }): Uint8Array {
    const first = range.offset / PAGE_SIZE;
    const last = Math.ceil((range.offset + range.size) / PAGE_SIZE) - 1;
    for (let page = first; page <= last; page++) area.markCached(page);
    this.#ahead = first === this.#nextPage ? Math.min(Math.max(1, this.#ahead * 2), MOST_AHEAD) : 0;
    this.#nextPage = last + 1;
    if (this.#ahead > 0) this.#store(area, last + 1);
    return area.read(range.offset, range.size);
  }

  /**
   * Spares a client that goes through a large area (a memset, mostly) a fault for each page: pages that
   * the cache cannot hold are stored there before they are touched.
   */
  #store(area: Area, from: number): void {
    const end = Math.min(from + this.#ahead, Math.floor(area.size / PAGE_SIZE));
    let to = from;
    while (to < end && !area.isCached(to)) area.markCached(to++);
    if (to === from) return;
    this.#nextPage = to;
    const data = area.read(from * PAGE_SIZE, (to - from) * PAGE_SIZE);
    this.#cache.store(this.#id, from * PAGE_SIZE, data);
  }
}
