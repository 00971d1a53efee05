import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type abi, type Dirent, packDirents, packDirentsPlus } from "../../src/fuse/mod.ts";
import { join, toHex } from "./hex.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const dirents = suite("fuse/dirents");

const ENTRIES: Dirent[] = [
  { name: ".", ino: 1, mode: 0o040755 },
  { name: "kcov", ino: 5, mode: 0o100600 },
  { name: "symbols1", ino: 6, mode: 0o120777 },
  { name: "é", ino: 7, mode: 0o020600 },
];

/** ino, off, namelen, type, name and zeros to a multiple of 8. */
const BYTES = [
  "0100000000000000 0100000000000000 01000000 04000000 2e00000000000000",
  "0500000000000000 0200000000000000 04000000 08000000 6b636f7600000000",
  "0600000000000000 0300000000000000 08000000 0a000000 73796d626f6c7331",
  "0700000000000000 0400000000000000 02000000 02000000 c3a9000000000000",
];

dirents("entries are packed as the header lays them out", () => {
  assert.is(toHex(packDirents(ENTRIES, { offset: 0, size: 4096 })), join(...BYTES));
});

dirents("names are padded with zeros to a multiple of 8 bytes", () => {
  for (let length = 1; length <= 17; length++) {
    const entry = { name: "x".repeat(length), ino: 1, mode: 0o100600 };
    const bytes = packDirents([entry], { offset: 0, size: 4096 });
    assert.is(bytes.length, 24 + Math.ceil(length / 8) * 8);
    assert.is(toHex(bytes.subarray(24)), "78".repeat(length).padEnd(2 * (bytes.length - 24), "0"));
  }
});

dirents("the offset is the number of entries that were had", () => {
  for (let offset = 0; offset <= ENTRIES.length + 1; offset++) {
    const bytes = packDirents(ENTRIES, { offset, size: 4096 });
    assert.is(toHex(bytes), join(...BYTES.slice(offset)));
  }
});

dirents("only whole entries are given, as many as fit into the size", () => {
  for (let size = 0; size <= 32 * ENTRIES.length + 7; size++) {
    const whole = Math.min(Math.floor(size / 32), ENTRIES.length);
    const bytes = packDirents(ENTRIES, { offset: 0, size });
    assert.is(toHex(bytes), join(...BYTES.slice(0, whole)), `size ${size}`);
  }
});

dirents("a large directory is had in pieces, each entry once", () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({
    name: `target-${i}`,
    ino: i + 2,
    mode: 0o100600,
  }));
  const seen: number[] = [];
  for (let offset = 0;;) {
    const bytes = packDirents(many, { offset, size: 32 * 1024 });
    if (bytes.length === 0) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length;) {
      seen.push(Number(view.getBigUint64(at, true)));
      offset = Number(view.getBigUint64(at + 8, true));
      at += (24 + view.getUint32(at + 16, true) + 7) & ~7;
    }
  }
  assert.equal(seen, many.map(({ ino }) => ino));
});

const ATTR: abi.FuseAttr = {
  ...{ ino: 5, size: 6, blocks: 7, atime: 8, mtime: 9, ctime: 10 },
  ...{ atimensec: 11, mtimensec: 12, ctimensec: 13, mode: 0o100600, nlink: 1 },
  ...{ uid: 14, gid: 15, rdev: 16, blksize: 17, flags: 18 },
};
const ATTR_HEX = "0500000000000000 0600000000000000 0700000000000000 0800000000000000" +
  "0900000000000000 0a00000000000000 0b000000 0c000000 0d000000 80810000 01000000 0e000000" +
  "0f000000 10000000 11000000 12000000";

function entryOut(nodeid: number): abi.FuseEntryOut {
  return {
    ...{ nodeid: nodeId(nodeid), generation: 0, entry_valid: 2, attr_valid: 3 },
    ...{ entry_valid_nsec: 4, attr_valid_nsec: 5, attr: ATTR },
  };
}

dirents("with READDIRPLUS each entry follows its lookup", () => {
  const bytes = packDirentsPlus(ENTRIES.slice(1, 2), {
    offset: 0,
    size: 4096,
    lookup: () => entryOut(9),
  });
  const lookup = `0900000000000000 ${"00".repeat(8)} 0200000000000000 0300000000000000` +
    `04000000 05000000 ${ATTR_HEX}`;
  assert.is(toHex(bytes), join(lookup, BYTES[1].replace("0200000000000000", "0100000000000000")));
});

dirents(
  "with READDIRPLUS only what fits is looked up, for the kernel owes a FORGET for each",
  () => {
    for (let size = 0; size <= 160 * ENTRIES.length + 1; size++) {
      const looked: string[] = [];
      const bytes = packDirentsPlus(ENTRIES, {
        offset: 1,
        size,
        lookup(entry) {
          looked.push(entry.name);
          return entryOut(0);
        },
      });
      const whole = Math.min(Math.floor(size / 160), 3);
      assert.equal(looked, ["kcov", "symbols1", "é"].slice(0, whole), `size ${size}`);
      assert.is(bytes.length, 160 * whole, `size ${size}`);
    }
  },
);

dirents.run();
