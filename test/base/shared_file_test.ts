import * as fs from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeSharedFile, SharedFile } from "../../src/base/shared_file.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { mapShared, unmap } from "../../src/base/system_calls.ts";

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

scenario("disposing of it removes it, and what others mapped lives on", (file) => {
  file.grow(4096);
  const fd = fs.openSync(file.path, "r+");
  const { address, memory } = mapShared(fd, 4096);
  fs.closeSync(fd);
  fs.writeSync(file.fd, Uint8Array.of(7), 0, 1, 0);
  file[Symbol.dispose]();
  file[Symbol.dispose]();
  assert.not.ok(fs.existsSync(file.path));
  assert.is(new Uint8Array(memory)[0], 7);
  unmap(address, 4096);
});

shared.run();
