import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeSharedFile, SharedFile } from "../../src/base/shared_file.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { SharedMemory } from "../../src/base/shared_memory.ts";

const shared = suite("shared_file");

const OWNER = { mode: 0o600, uid: 0, gid: 0 };
/** Larger than any page. */
const RESERVED = 16 * 1024 * 1024;
const SIZE = 1 << 20;

function scenario(sentence: string, run: (file: SharedFile) => void | Promise<void>): void {
  shared(sentence, async () => {
    await using folder = await SharedFolder.make();
    using file = new SharedFile(path.join(folder.path, "area"), OWNER);
    await run(file);
  });
}

/** Bytes of the file by its path, as another process would read them. */
const bytesOf = (file: SharedFile, offset: number, length: number) =>
  fs.readFileSync(file.path).subarray(offset, offset + length).toString("hex");

shared("mode and owner are as told, whatever the umask", async () => {
  await using folder = await SharedFolder.make();
  const before = process.umask(0o077);
  const options = { mode: 0o666, uid: 1000, gid: 1001 };
  using file = new SharedFile(path.join(folder.path, "area"), options);
  process.umask(before);
  const { mode, uid, gid, size } = fs.statSync(file.path);
  assert.equal([mode & 0o7777, uid, gid, size], [0o666, 1000, 1001, 0]);
});

shared("a file for others has memory, and this process does not have it open", async () => {
  await using folder = await SharedFolder.make();
  const file = path.join(folder.path, "turns");
  makeSharedFile(file, { bytes: 4096, mode: 0o640, uid: 1000, gid: 1001 });
  const { mode, uid, gid, size, blocks } = fs.statSync(file);
  assert.equal([mode & 0o7777, uid, gid, size, blocks * 512], [0o640, 1000, 1001, 4096, 4096]);
  const links = fs.readdirSync("/proc/self/fd").map((fd) => {
    return fs.existsSync(`/proc/self/fd/${fd}`) && fs.readlinkSync(`/proc/self/fd/${fd}`);
  });
  assert.not.ok(links.includes(file));
  const beyond = path.join(folder.path, "beyond");
  const { blocks: all, bsize } = fs.statfsSync(folder.path);
  const bytes = 2 * all * bsize;
  assert.throws(
    () => makeSharedFile(beyond, { bytes, ...OWNER }),
    (error: NodeJS.ErrnoException) => error.code === "ENOSPC",
  );
  assert.not.ok(fs.existsSync(beyond), "nothing is left");
});

scenario("a file that is there already is not taken", (file) => {
  assert.throws(
    () => new SharedFile(file.path, OWNER),
    (error: NodeJS.ErrnoException) => error.code === "EEXIST",
  );
});

scenario(
  "it grows by zeros, of which the first have memory and the rest take no room, and never shrinks",
  (file) => {
    file.grow(SIZE);
    file.grow(SIZE);
    file.grow(512 * SIZE);
    assert.is(file.size, 512 * SIZE);
    const { size, blocks } = fs.statSync(file.path);
    assert.equal([size, blocks * 512], [512 * SIZE, RESERVED]);
    assert.throws(
      () => file.grow(SIZE),
      /^Cannot grow \/.*\/area to 1048576 bytes: it has 536870912$/,
    );
  },
);

scenario("what is written to the memory is in the file, and the other way", (file) => {
  file.grow(SIZE);
  const words = new BigUint64Array(file.map());
  assert.is(words.length, SIZE / 8);
  words[0] = 0x0102030405060708n;
  words[words.length - 1] = 9n;
  assert.is(bytesOf(file, 0, 8), "0807060504030201");
  assert.is(bytesOf(file, SIZE - 8, 8), "0900000000000000");
  execFileSync("dd", [`of=${file.path}`, "bs=8", "seek=1", "conv=notrunc", "status=none"], {
    input: Buffer.from("070000000000000a", "hex"),
  });
  assert.is(words[1], 0x0a00000000000007n);
  assert.is(file.map(), words.buffer);
});

scenario("atomic operations work on it", (file) => {
  file.grow(4096);
  const words = new BigInt64Array(file.map());
  assert.is(Atomics.add(words, 3, 5n), 0n);
  assert.is(Atomics.compareExchange(words, 3, 5n, 8n), 5n);
  assert.is(bytesOf(file, 24, 8), "0800000000000000");
});

scenario("an empty file cannot be mapped", (file) => {
  assert.throws(() => file.map(), /^Cannot map memory: EINVAL$/);
});

scenario("memory that was given up is zeros, and no longer the file's", (file) => {
  file.grow(4096);
  const bytes = new Uint8Array(file.map());
  bytes.fill(1);
  file.unmap();
  file.unmap();
  assert.ok(bytes.every((byte) => byte === 0));
  bytes.fill(2);
  assert.is(bytesOf(file, 0, 4), "01010101");
  assert.is(new Uint8Array(file.map())[0], 1);
});

/** The lines of this process's mappings in which the text is. */
const mappings = (text: string) =>
  fs.readFileSync("/proc/self/maps", "utf8").split("\n").filter((line) => line.includes(text));

/** Maps it and gives the memory up; nothing of it can be reached afterwards. */
function mapAndUnmap(file: SharedFile): string {
  file.map();
  const [line] = mappings(file.path);
  file.unmap();
  assert.equal(mappings(file.path), []);
  return line.split(" ")[0];
}

scenario("its addresses are given back when the memory was collected", async (file) => {
  file.grow(64 * SIZE);
  const range = mapAndUnmap(file);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turns = 0; mappings(range).length > 0; turns++) {
    assert.ok(turns < 1000, `${range} is still mapped`);
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
});

scenario("disposing of it removes it, and what others mapped lives on", (file) => {
  file.grow(4096);
  const fd = fs.openSync(file.path, "r+");
  using memory = new SharedMemory(fd, 4096);
  fs.closeSync(fd);
  new Uint8Array(file.map())[0] = 7;
  file[Symbol.dispose]();
  file[Symbol.dispose]();
  assert.not.ok(fs.existsSync(file.path));
  assert.is(new Uint8Array(memory.buffer)[0], 7);
});

shared.run();
