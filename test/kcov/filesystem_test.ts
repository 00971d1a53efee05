import { constants } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { abi, type Errno } from "../../src/fuse/mod.ts";
import { scenarios } from "../scenarios.ts";
import { PAGE, turn } from "./device_world.ts";
import { Tree } from "./tree.ts";
import { fileHandle } from "../../src/fuse/ids.ts";
import { targetId } from "../../src/kcov/ids.ts";

const filesystem = suite("kcov/filesystem");

const ROOT = abi.FUSE_ROOT_ID;
const { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants;

const scenario = scenarios(filesystem, () => new Tree());

/** The name of the errno with which a call is refused. */
async function refusal(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as Errno).code;
  }
  return "none";
}

scenario("each lookup of kcov is another inode, which is not remembered by its name", (tree) => {
  const found = Array.from({ length: 100 }, () => tree.lookup("kcov"));
  assert.is(new Set(found.map(({ nodeid }) => nodeid)).size, 100);
  assert.ok(found.every(({ entry_valid, attr_valid }) => entry_valid === 0 && attr_valid === 0));
  assert.is(new Set(found.map(({ attr }) => attr.ino)).size, 1, "stat(2) shows one");
  assert.equal(tree.world.device.instances, [], "looking alone opens nothing");
});

scenario("kcov is a file of its owner's, with the mode that is wanted", (tree) => {
  const { attr } = tree.lookup("kcov");
  assert.equal([attr.mode, attr.uid, attr.gid, attr.size], [S_IFREG | 0o640, 1000, 1001, 0]);
});

scenario("what is not there is ENOENT, by any name that is elsewhere", async (tree) => {
  const { nodeid } = tree.lookup("kcovfs");
  const kcov = tree.lookup("kcov").nodeid;
  for (const name of ["", "/", ".", "..", "KCOV", "kcov ", "targets"]) {
    assert.is(await refusal(() => tree.lookup(name)), "ENOENT", name);
  }
  assert.is(await refusal(() => tree.lookup("kcov", nodeid)), "ENOENT");
  assert.is(await refusal(() => tree.lookup("kcov", kcov)), "ENOENT");
});

scenario("what never changes is remembered", (tree) => {
  for (const path of ["kcovfs", "kcovfs/socket", "kcovfs/targets"]) {
    const { entry_valid, attr_valid, nodeid, attr } = tree.walk(path);
    assert.ok(entry_valid > 1e6 && attr_valid > 1e6);
    assert.equal(tree.walk(path).nodeid, nodeid);
    assert.equal(tree.getattr(nodeid).attr, attr);
  }
});

scenario("nobody but root may write what is told about the device", (tree) => {
  const { attr: directory } = tree.lookup("kcovfs");
  assert.equal([directory.mode, directory.uid], [S_IFDIR | 0o755, 0]);
  const { attr } = tree.walk("kcovfs/targets");
  assert.equal([attr.mode, attr.uid, attr.gid], [S_IFREG | 0o440, 1000, 1001]);
  assert.equal(tree.getattr(ROOT).attr.mode, S_IFDIR | 0o755);
});

scenario("kcovfs/socket is a link to the control socket, and nothing else is one", async (tree) => {
  const { nodeid, attr } = tree.walk("kcovfs/socket");
  assert.is(attr.mode & S_IFMT, S_IFLNK);
  assert.is(tree.subject.readlink(tree.request(nodeid)), "/run/kcovfs/socket");
  for (const other of [ROOT, tree.lookup("kcov").nodeid, tree.walk("kcovfs/targets").nodeid]) {
    assert.is(await refusal(() => tree.subject.readlink(tree.request(other))), "EINVAL");
  }
});

for (const size of [32, 64, 100, 4096]) {
  scenario(`directories are listed whole, ${size} bytes at a time`, (tree) => {
    const { nodeid } = tree.lookup("kcovfs");
    const root = tree.list(ROOT, size);
    assert.equal(root.map(({ name }) => name), [".", "..", "kcov", "kcovfs", "kcov.d"]);
    assert.equal(root.map(({ type }) => type), [S_IFDIR, S_IFDIR, S_IFREG, S_IFDIR, S_IFDIR]);
    const entries = tree.list(nodeid, size);
    assert.equal(entries.map(({ name }) => name), [".", "..", "socket", "targets", "symbols"]);
    assert.equal(entries.slice(2).map(({ type }) => type), [S_IFLNK, S_IFREG, S_IFREG]);
    assert.equal([entries[0].ino, entries[1].ino], [nodeid, ROOT]);
    for (const { name, ino } of entries.slice(2)) {
      assert.is(tree.lookup(name, nodeid).attr.ino, ino);
    }
    assert.is(root[2].ino, tree.lookup("kcov").attr.ino);
  });
}

scenario("listing a directory with attributes looks kcov not up", (tree) => {
  const window = { offset: 0, size: 4096 };
  const bytes = tree.subject.readdirplus(tree.request(ROOT), window);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const nodes = [];
  for (let at = 0; at < bytes.length;) {
    nodes.push(Number(view.getBigUint64(at, true)));
    const dirent = at + abi.fuse_entry_out.size;
    at = dirent + ((24 + view.getUint32(dirent + 16, true) + 7) & ~7);
  }
  const directories = [tree.lookup("kcovfs").nodeid, tree.lookup("kcov.d").nodeid];
  assert.equal(nodes, [0, 0, 0, ...directories]);
});

scenario("kcov.d has a file for each target that lives", async (tree) => {
  tree.targets = [
    { name: "api", id: targetId(1), isAlive: true },
    { name: "gone", id: targetId(2), isAlive: false },
    { name: "web", id: targetId(9), isAlive: true },
  ];
  const { nodeid } = tree.lookup("kcov.d");
  const entries = tree.list(nodeid, 4096);
  assert.equal(entries.map(({ name }) => name), [".", "..", "api", "web"]);
  for (const { name, ino, type } of entries.slice(2)) {
    const { attr, entry_valid, attr_valid } = tree.lookup(name, nodeid);
    assert.equal([attr.ino, entry_valid, attr_valid], [ino, 0, 0]);
    assert.equal([attr.mode, attr.uid, attr.gid], [type | 0o640, 1000, 1001]);
  }
  for (const name of ["gone", "nobody", "", ".."]) {
    assert.is(await refusal(() => tree.lookup(name, nodeid)), "ENOENT", name);
  }
  assert.is(await refusal(() => tree.lookup("api")), "ENOENT");
});

scenario("a target's file stays while it is open, though the target ends", async (tree) => {
  tree.targets = [{ name: "api", id: targetId(7), isAlive: true }];
  const folder = tree.lookup("kcov.d").nodeid;
  const nodes = [tree.lookup("api", folder).nodeid, tree.lookup("api", folder).nodeid];
  assert.is.not(nodes[0], nodes[1], "each open has an area of its own");
  for (const node of nodes) await tree.open(node);
  assert.equal(tree.world.device.instances.map(({ scope }) => scope), [
    new Set([7]),
    new Set([7]),
  ]);
  tree.targets = [{ name: "api", id: targetId(7), isAlive: false }];
  assert.is(tree.list(folder, 4096).length, 3);
  tree.lookup("api", folder);
  for (const node of nodes) {
    tree.subject.release(tree.request(node), { fh: fileHandle(0) });
    tree.subject.forget(node);
  }
  assert.is(tree.list(folder, 4096).length, 2);
  assert.is(await refusal(() => tree.lookup("api", folder)), "ENOENT");
});

scenario("an open of kcov is an instance, until it is released", async (tree) => {
  const nodes = [await tree.openKcov(), await tree.openKcov()];
  assert.equal(tree.world.device.instances.map(({ id }) => id), nodes);
  tree.subject.flush();
  assert.is(tree.world.device.instances.length, 2, "a close of one descriptor changes nothing");
  for (const node of nodes) tree.subject.release(tree.request(node), { fh: fileHandle(0) });
  assert.equal(tree.world.device.instances, []);
});

scenario("an instance cannot be opened a second time, for it has one area", async (tree) => {
  const node = await tree.openKcov();
  assert.is(await refusal(() => tree.open(node)), "EBUSY");
  tree.subject.release(tree.request(node), { fh: fileHandle(0) });
  await tree.open(node);
  assert.is(tree.world.stateOf(node), "opened");
});

scenario("the size of an instance is its area's", async (tree) => {
  const node = await tree.openKcov();
  const { attr, attr_valid } = tree.getattr(node);
  assert.equal([attr.size, attr_valid], [0, 0]);
  assert.equal(await tree.initialize(node, 1000n), { result: 0 });
  const after = tree.getattr(node);
  assert.is(after.attr.size, 8000);
  assert.ok(after.attr_valid > 1e6, "another size would truncate the mapping");
});

scenario(
  "read(2) of an uninitialised instance is found out when its size is asked",
  async (tree) => {
    const node = await tree.openKcov();
    const FH = abi.FUSE_GETATTR_FH;
    assert.is(await refusal(() => tree.getattr(node, FH)), "EINVAL");
    assert.is(await refusal(() => tree.subject.read(tree.request(node), page(0))), "EINVAL");
    await tree.initialize(node);
    assert.is(tree.getattr(node, FH).attr.size, 4096);
    assert.equal(await tree.subject.read(tree.request(node), page(0)), new Uint8Array(PAGE));
  },
);

scenario("what is looked up and not open has attributes however they are asked for", (tree) => {
  const { nodeid } = tree.lookup("kcov");
  assert.is(tree.getattr(nodeid, abi.FUSE_GETATTR_FH).attr.size, 0);
  assert.is(tree.getattr(ROOT, abi.FUSE_GETATTR_FH).attr.mode & S_IFMT, S_IFDIR);
});

const page = (index: number) => ({
  fh: fileHandle(0),
  offset: index * PAGE,
  size: PAGE,
  read_flags: 0,
});

scenario("reads and writes of the page cache's reach the area", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node, 1024n);
  const data = new Uint8Array(PAGE).fill(7);
  const write = { offset: PAGE, size: PAGE, write_flags: abi.FUSE_WRITE_CACHE, data };
  assert.equal(tree.subject.write(tree.request(node), write), { size: PAGE });
  assert.equal(await tree.subject.read(tree.request(node), page(1)), data);
  assert.equal(await tree.subject.read(tree.request(node), page(0)), new Uint8Array(PAGE));
});

scenario("write(2) is EINVAL, for the device has none", async (tree) => {
  const node = await tree.openKcov();
  const write = { offset: 0, size: 1, write_flags: 0, data: new Uint8Array(1) };
  for (const step of [() => {}, () => tree.initialize(node)]) {
    await step();
    assert.is(await refusal(() => tree.subject.write(tree.request(node), write)), "EINVAL");
  }
});

scenario("a page that comes back of a closed instance is taken, and dropped", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node);
  tree.subject.release(tree.request(node), { fh: fileHandle(0) });
  const data = new Uint8Array(PAGE);
  const write = { offset: 0, size: PAGE, write_flags: abi.FUSE_WRITE_CACHE, data };
  assert.equal(tree.subject.write(tree.request(node), write), { size: PAGE });
});

scenario("an ioctl's errno is its result, those above 511 too", async (tree) => {
  const node = await tree.openKcov();
  assert.equal(await tree.ioctl(node, 0x6364), { result: -22 });
  await tree.initialize(node);
  assert.equal(await tree.ioctl(node, 0x6364, 1n), { result: -524 });
  assert.equal(await tree.ioctl(node, 0x1234), { result: -25 });
  assert.equal(await tree.ioctl(node, 0x6364), { result: 0 });
});

scenario("ioctls are the calling thread's", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node);
  await tree.ioctl(node, 0x6364);
  const disable = { cmd: 0x6365, arg: 0n };
  assert.equal(await tree.subject.ioctl(tree.request(node, 1), disable), { result: -22 });
  assert.equal(await tree.subject.ioctl(tree.request(node), disable), { result: 0 });
});

scenario("nothing but kcov has ioctls", async (tree) => {
  for (const nodeid of [ROOT, tree.lookup("kcovfs").nodeid, tree.walk("kcovfs/targets").nodeid]) {
    assert.is(await refusal(() => tree.ioctl(nodeid, 0x6364)), "ENOTTY");
  }
  assert.is(await refusal(() => tree.ioctl(tree.lookup("kcov").nodeid, 0x6364)), "EIO", "not open");
});

scenario("a node that the kernel was never told of is ESTALE, whatever is asked", async (tree) => {
  const { nodeid } = tree.lookup("kcov");
  const data = new Uint8Array(PAGE);
  const write = { offset: 0, size: PAGE, write_flags: abi.FUSE_WRITE_CACHE, data };
  for (const forged of [0, 99, nodeid + 1, Number.MAX_SAFE_INTEGER]) {
    const request = tree.request(forged);
    const asked: (() => unknown)[] = [
      () => tree.getattr(forged),
      () => tree.setattr(forged, { valid: 0 }),
      () => tree.open(forged),
      () => tree.subject.read(request, page(0)),
      () => tree.subject.write(request, write),
      () => tree.ioctl(forged, 0x6364),
      () => tree.subject.opendir(request),
      () => tree.list(forged, PAGE),
    ];
    for (const ask of asked) assert.is(await refusal(ask), "ESTALE", `${ask} of ${forged}`);
  }
  assert.equal(tree.world.device.instances, []);
});

scenario("what is no directory is not listed, and what is not open not released", async (tree) => {
  const { nodeid } = tree.lookup("kcov");
  for (const other of [nodeid, tree.walk("kcovfs/targets").nodeid]) {
    assert.is(await refusal(() => tree.list(other, PAGE)), "ENOTDIR");
    assert.is(await refusal(() => tree.subject.opendir(tree.request(other))), "ENOTDIR");
  }
  assert.is(
    await refusal(() => tree.subject.release(tree.request(nodeid), { fh: fileHandle(0) })),
    "EBADF",
  );
});

scenario("a read beyond the area, or of more than it is, takes no memory for it", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node, 1024n);
  const read = (offset: number, size: number) =>
    tree.subject.read(tree.request(node), { fh: fileHandle(0), offset, size, read_flags: 0 });
  assert.is((await read(PAGE, 0xffffffff)).length, PAGE);
  assert.is((await read(0, 0xffffffff)).length, 2 * PAGE);
  for (const offset of [2 * PAGE, 2 ** 43, Number.MAX_SAFE_INTEGER]) {
    assert.is((await read(offset, 0xffffffff)).length, 0);
  }
});

scenario("what waits when an instance is closed is refused", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node);
  await tree.ioctl(node, 0x6364);
  let open = () => {};
  tree.world.source.gate = new Promise<void>((resolve) => open = resolve);
  const reading = refusal(() => tree.subject.read(tree.request(node), page(0)));
  const resetting = tree.ioctl(node, 0x6368);
  await turn();
  const late = tree.initialize(node);
  tree.subject.release(tree.request(node), { fh: fileHandle(0) });
  assert.equal([await reading, await resetting], ["EIO", { result: -5 }]);
  await tree.open(node);
  assert.equal(await late, { result: -5 }, "it is not of the instance that is open now");
  assert.is(tree.world.stateOf(node), "opened");
  open();
});

scenario("a file is neither resized nor given away, and may be touched", async (tree) => {
  const node = await tree.openKcov();
  await tree.initialize(node);
  const { FATTR_SIZE, FATTR_MODE, FATTR_UID, FATTR_GID } = abi;
  for (const valid of [FATTR_MODE, FATTR_UID, FATTR_GID, FATTR_MODE | FATTR_SIZE]) {
    assert.is(await refusal(() => tree.setattr(node, { valid, size: 4096n })), "EPERM");
  }
  for (const size of [0n, 4095n, 1n << 62n]) {
    assert.is(await refusal(() => tree.setattr(node, { valid: FATTR_SIZE, size })), "EINVAL");
  }
  assert.is(tree.setattr(node, { valid: FATTR_SIZE, size: 4096n }).attr.size, 4096);
  assert.is(tree.setattr(node, { valid: 1 << 4 }).attr.size, 4096, "a time");
});

scenario("truncating kcov as it is opened is harmless", async (tree) => {
  const { nodeid } = tree.lookup("kcov");
  assert.is(tree.setattr(nodeid, { valid: abi.FATTR_SIZE, size: 0n }).attr.size, 0);
  await tree.open(nodeid, constants.O_RDWR | constants.O_TRUNC);
  assert.is(tree.setattr(nodeid, { valid: abi.FATTR_SIZE, size: 0n }).attr.size, 0);
});

filesystem("a text is what it was when it was opened, for each who opens it", async () => {
  let made = 0;
  const files = new Map([["count", () => Promise.resolve(`é ${++made}\n`)]]);
  await using tree = new Tree({ files });
  const { nodeid } = tree.walk("kcovfs/count");
  const [first, second] = [await tree.open(nodeid, 0), await tree.open(nodeid, 0)];
  assert.ok(first.fh !== second.fh && (first.open_flags & abi.FOPEN_DIRECT_IO) !== 0);
  const read = (fh: number, offset: number, size: number) =>
    Buffer.from(
      tree.subject.read(tree.request(nodeid), {
        fh: fileHandle(fh),
        offset,
        size,
        read_flags: 0,
      }) as Uint8Array,
    );
  assert.is(String(read(second.fh, 0, 4096)), "é 2\n");
  assert.is(String(read(first.fh, 0, 4096)), "é 1\n");
  assert.equal([read(first.fh, 3, 1).toString(), read(first.fh, 5, 10).length], ["1", 0]);
  tree.subject.release(tree.request(nodeid), { fh: fileHandle(first.fh) });
  assert.is(read(first.fh, 0, 4096).length, 0);
  assert.is(String(read(second.fh, 0, 4096)), "é 2\n");
});

scenario("texts are not written, and other nodes not opened as files", async (tree) => {
  const { nodeid } = tree.walk("kcovfs/targets");
  for (const flags of [constants.O_WRONLY, constants.O_RDWR]) {
    assert.is(await refusal(() => tree.open(nodeid, flags)), "EACCES");
  }
  const write = { offset: 0, size: 1, write_flags: 0, data: new Uint8Array(1) };
  assert.is(await refusal(() => tree.subject.write(tree.request(nodeid), write)), "EACCES");
  for (const other of [ROOT, tree.walk("kcovfs/socket").nodeid]) {
    assert.is(await refusal(() => tree.open(other, 0)), "EACCES");
  }
});

filesystem("a text that cannot be made is refused, and can be had later", async () => {
  let error: Error | undefined = new Error("not now");
  const content = () => error ? Promise.reject(error) : "now\n";
  await using tree = new Tree({ files: new Map([["text", content]]) });
  const { nodeid } = tree.walk("kcovfs/text");
  assert.is(await tree.open(nodeid, 0).catch((error) => error.message), "not now");
  error = undefined;
  await tree.open(nodeid, 0);
});

filesystem.run();
