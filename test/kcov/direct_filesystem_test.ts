/** The mounted tree where files back instances. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { abi, Backings, type DeviceIoctl } from "../../src/fuse/mod.ts";
import { turn } from "./device_world.ts";
import { DirectWorld } from "./direct_world.ts";
import { Tree } from "./tree.ts";
import { fileHandle } from "../../src/fuse/ids.ts";

const filesystem = suite("kcov/filesystem, direct areas");

const FUSE_READ_LOCKOWNER = 1 << 1;
const PASSTHROUGH_DIRECT_IO = 1 << 7 | 1 << 0;

/** A kernel that numbers the files that it gets, if it accepts any. */
class FakeBackings {
  isRefusing = false;
  /** The descriptors, by their ids. */
  readonly open = new Map<number, number>();
  #nextId = 1;
  readonly subject = new Backings((ioctl) => this.#ioctl(ioctl), { hasEnded: () => false });

  #ioctl({ request, argument }: DeviceIoctl): number {
    if (this.isRefusing) throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    const first = new DataView(argument.buffer, argument.byteOffset).getInt32(0, true);
    if (request === abi.FUSE_DEV_IOC_BACKING_CLOSE) {
      assert.ok(this.open.delete(first), "an id is given back once");
      return 0;
    }
    this.open.set(this.#nextId, first);
    return this.#nextId++;
  }
}

interface Scene {
  readonly tree: Tree;
  readonly world: DirectWorld;
  readonly backings: FakeBackings;
}

function scenario(sentence: string, run: (scene: Scene) => unknown): void {
  filesystem(sentence, async () => {
    const world = await DirectWorld.make();
    const backings = new FakeBackings();
    await using tree = new Tree({ backings: () => backings.subject }, world);
    await run({ tree, world, backings });
  });
}

scenario("what is opened has the instance's file behind it", async ({ tree, world, backings }) => {
  const { nodeid } = tree.lookup("kcov");
  const { open_flags, backing_id } = await tree.open(nodeid);
  assert.is(open_flags, PASSTHROUGH_DIRECT_IO);
  assert.equal([...backings.open], [[backing_id, world.files[0].fd]]);
});

scenario("RELEASE gives the id back, and removes the file", async ({ tree, world, backings }) => {
  const nodeid = await tree.openKcov();
  tree.subject.release(tree.request(nodeid), { fh: fileHandle(0) });
  await turn();
  assert.equal([backings.open.size, world.present, world.device.instances], [0, [], []]);
});

scenario("an open that the kernel has no file behind for leaves nothing", async (scene) => {
  const { tree, world, backings } = scene;
  const { nodeid } = tree.lookup("kcov");
  backings.isRefusing = true;
  const opened = await tree.open(nodeid).then(() => "opened", (error: Error) => error.message);
  assert.is(opened, "EPERM");
  await turn();
  assert.equal([world.present, world.device.instances], [[], []]);
  backings.isRefusing = false;
  await tree.open(nodeid);
  assert.equal([world.present, backings.open.size], [[1], 1]);
});

scenario("read(2) is ours: EINVAL before INIT_TRACE, then what is in the file", async (scene) => {
  const { tree, world } = scene;
  const nodeid = await tree.openKcov();
  const read = () =>
    tree.subject.read(tree.request(nodeid), {
      fh: fileHandle(0),
      offset: 0,
      size: 4096,
      read_flags: FUSE_READ_LOCKOWNER,
    });
  assert.throws(read, /EINVAL/);
  await tree.initialize(nodeid, 2n);
  world.write(0, [1n, 0xffffffff80000008n]);
  const bytes = Buffer.from(await read());
  assert.is(bytes.toString("hex"), "0100000000000000" + "08000080ffffffff");
  assert.is(tree.getattr(nodeid).attr.size, 16);
});

filesystem.run();
