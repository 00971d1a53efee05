import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Area } from "../../src/kcov/area.ts";
import { ReadAhead } from "../../src/kcov/page_cache.ts";

const ahead = suite("kcov/page_cache");

const PAGE = 4096;

/** `pages` long; what is stored is noted as the first page and how many there are. */
function made(pages: number) {
  const stored: [page: number, count: number][] = [];
  const area = new Area(pages * PAGE / 8);
  const subject = new ReadAhead(7, {
    reads: 0,
    invalInode: () => Promise.resolve(0),
    store(nodeid, offset, data) {
      assert.is(nodeid, 7);
      stored.push([offset / PAGE, data.length / PAGE]);
      return Promise.resolve(0);
    },
  });
  const read = (page: number, count = 1) =>
    subject.read(area, { offset: page * PAGE, size: count * PAGE }).length / PAGE;
  return { stored, read };
}

ahead("pages that are read here and there are answered, and nothing is stored", () => {
  const { stored, read } = made(64);
  assert.equal([read(9), read(3, 2), read(20)], [1, 2, 1]);
  assert.equal(stored, []);
});

ahead("for who reads one page after the other, twice as many are stored each time", () => {
  const { stored, read } = made(1024);
  for (const page of [1, 2, 4, 7, 12]) read(page);
  assert.equal(stored, [[3, 1], [5, 2], [8, 4], [13, 8]]);
});

ahead("who goes elsewhere begins anew", () => {
  const { stored, read } = made(1024);
  for (const page of [1, 2, 4, 100, 101, 103]) read(page);
  assert.equal(stored, [[3, 1], [5, 2], [102, 1], [104, 2]]);
});

ahead("nothing is stored beyond the area's last page", () => {
  const { stored, read } = made(6);
  for (const page of [1, 2, 4]) read(page);
  assert.equal(stored, [[3, 1], [5, 1]]);
});

ahead("what the cache may have is not stored over", () => {
  const { stored, read } = made(64);
  for (const page of [5, 1, 2, 4]) read(page);
  assert.equal(stored, [[3, 1]]);
});

ahead.run();
