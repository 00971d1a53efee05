/** KCOV_REMOTE_ENABLE, and instances whose scope is some targets only. */
import koffi from "koffi";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Client, DeviceWorld, startThread, threads, turn } from "./device_world.ts";
import { targetId } from "../../src/kcov/ids.ts";

const device = suite("kcov/device, scopes");

const [ENABLE, DISABLE, REMOTE_ENABLE] = [0x6364, 0x6365, 0x40186366];
const [EBUSY, EFAULT, EEXIST, EINVAL, ENOTSUPP] = [-16, -14, -17, -22, -524];
const USB = 1n << 56n;
const NO_SUCH_ADDRESS = 0x1000;

function scenario(
  sentence: string,
  run: (world: DeviceWorld, tids: readonly number[]) => unknown,
): void {
  device(sentence, async () => {
    await using world = new DeviceWorld();
    await run(world, threads());
  });
}

interface Remote {
  readonly mode?: number;
  readonly common?: bigint;
  readonly handles?: readonly bigint[];
  /** The count in the head, whatever the real one. */
  readonly count?: number;
}

/** Calls as a client does: the kernel brings the head, and the handles are in memory after it. */
function enable(client: Client, remote: Remote): Promise<number> {
  const { mode = 0, common = 0n, handles = [] } = remote;
  const count = remote.count ?? handles.length;
  const head = new Uint8Array(24);
  const view = new DataView(head.buffer);
  view.setUint32(0, mode, true);
  view.setUint32(8, count, true);
  view.setBigUint64(16, common, true);
  const memory = koffi.alloc("uint64_t", 3 + handles.length);
  koffi.encode(memory, koffi.array("uint64_t", 3 + handles.length), [0n, 0n, 0n, ...handles]);
  const isThere = handles.length === count;
  const address = isThere ? koffi.address(memory) : BigInt(NO_SUCH_ADDRESS);
  return client.ioctl(REMOTE_ENABLE, address, head).finally(() => koffi.free(memory));
}

async function initialized(world: DeviceWorld, id: number, tid?: number): Promise<Client> {
  const client = world.open(id, tid);
  await client.initialize(512);
  return client;
}

scenario("a handle picks the target of the number in its lower half", async (world, tids) => {
  const common = await initialized(world, 1, tids[0]);
  const listed = await initialized(world, 2, tids[1]);
  assert.is(await enable(common, { common: 3n }), 0);
  assert.is(await enable(listed, { handles: [USB | 1n, USB | 3n], common: 7n }), 0);
  for (const target of [1, 2, 3, 7]) world.source.executeIn(target, 8 * target);
  assert.equal(await common.pcs(), [24]);
  assert.equal((await listed.pcs()).sort(), [24, 56, 8]);
});

scenario("REMOTE_ENABLE folds where its mode says so", async (world, tids) => {
  const folded = await initialized(world, 1, tids[0]);
  const plain = await initialized(world, 2, tids[1]);
  assert.is(await enable(folded, { mode: 0x40000001, common: 3n }), EINVAL);
  assert.is(await enable(folded, { mode: 0x40000000, common: 3n }), 0);
  assert.is(await enable(plain, { common: 4n }), 0);
  const modes = world.device.instances.map(({ state }) => state.kind === "enabled" && state.mode);
  assert.equal(modes, ["fold", "pc"]);
});

scenario("DISABLE gives the handles back, and the scope of the file", async (world, tids) => {
  const client = await initialized(world, 1, tids[0]);
  const other = await initialized(world, 2, tids[1]);
  await enable(client, { common: 2n });
  assert.is(await enable(other, { common: 2n }), EEXIST);
  await client.ioctl(DISABLE);
  assert.is(await enable(other, { common: 2n }), 0);
  assert.is(await client.ioctl(ENABLE), 0);
  world.source.executeIn(1, 8);
  world.source.executeIn(2, 16);
  assert.equal((await client.pcs()).sort(), [16, 8]);
});

scenario("without handles an instance is told of nothing", async (world) => {
  const client = await initialized(world, 1);
  world.log.length = 0;
  assert.is(await enable(client, {}), 0);
  world.source.execute(8);
  assert.equal(await client.pcs(), []);
  assert.not(world.log.some((line) => line.startsWith("stop")));
});

scenario("REMOTE_ENABLE's errors come in the kernel's order", async (world, [one, other]) => {
  const client = world.open(1, one);
  const bad = 1n << 40n;
  assert.is(await client.ioctl(REMOTE_ENABLE, 0), EFAULT, "no head");
  assert.is(await enable(client, { count: 257 }), EINVAL);
  assert.is(await enable(client, { count: 256, mode: 9 }), EFAULT, "before the state");
  assert.is(await enable(client, {}), EINVAL, "not initialised");
  await client.initialize(512);
  const mine = world.open(2, one);
  await mine.initialize(512);
  await mine.ioctl(ENABLE);
  assert.is(await enable(client, { mode: 9, common: bad }), EBUSY, "before the mode");
  await mine.ioctl(DISABLE);
  assert.is(await enable(client, { mode: 1, common: bad }), ENOTSUPP);
  assert.is(await enable(client, { mode: 2, common: bad }), EINVAL);
  const holder = world.open(3, other);
  await holder.initialize(512);
  await enable(holder, { handles: [USB | 5n] });
  assert.is(await enable(client, { handles: [USB | 5n, bad] }), EEXIST, "one after the other");
  assert.is(await enable(client, { handles: [bad, USB | 5n] }), EINVAL);
  assert.is(await enable(client, { handles: [USB | 6n, USB | 6n] }), EEXIST);
  assert.is(await enable(client, { handles: [USB | 6n], common: bad }), EINVAL);
  assert.is(await enable(client, { handles: [USB | 6n], common: 6n }), 0, "nothing was kept");
  assert.is(await enable(client, {}), EINVAL, "enabled");
});

const WRONG: Record<string, Remote> = {
  "a common handle in the list": { handles: [5n] },
  "no handle in the list": { handles: [0n] },
  "a handle of USB as the common one": { common: USB | 5n },
  "a handle of an unknown subsystem": { common: 2n << 56n | 5n },
  "one with bits between": { common: 1n << 32n | 5n },
  "one in the list with bits between": { handles: [USB | 1n << 55n | 5n] },
};
for (const [name, remote] of Object.entries(WRONG)) {
  scenario(`${name} is EINVAL`, async (world) => {
    const client = await initialized(world, 1);
    assert.is(await enable(client, remote), EINVAL);
    assert.is(world.stateOf(1), "initialized");
  });
}

device("handles of a thread that has ended can be taken", async () => {
  await using world = new DeviceWorld();
  const thread = startThread();
  const first = await initialized(world, 1, thread.tid);
  const closed = await initialized(world, 2, thread.tid);
  const second = await initialized(world, 3);
  assert.is(await enable(first, { common: 1n }), 0);
  assert.is(await enable(closed, { common: 2n }), EBUSY);
  first.close();
  assert.is(await enable(second, { common: 1n }), EEXIST, "the thread goes on");
  await thread.end();
  assert.is(await enable(second, { common: 1n }), 0);
});

scenario("targets' files are told of their targets, and of nobody else's", async (world, tids) => {
  const first = await world.enabled(1, { tid: tids[0], scope: new Set([1].map(targetId)) });
  const second = await world.enabled(2, { tid: tids[1], scope: new Set([2].map(targetId)) });
  world.source.executeIn(1, 8, 16);
  world.source.executeIn(2, 16, 24);
  assert.equal(await first.pcs(), [8, 16]);
  assert.equal(await second.pcs(), [16, 24]);
  await world.untilRest();
  assert.equal(world.log.filter((line) => line.startsWith("stop")), ["stop 1", "stop 2"]);
});

scenario("a read does not wait for the collection of another target", async (world, tids) => {
  const first = await world.enabled(1, { tid: tids[0], scope: new Set([1].map(targetId)) });
  const second = await world.enabled(2, { tid: tids[1], scope: new Set([2].map(targetId)) });
  let open!: (value?: unknown) => void;
  world.source.gates.set(1, new Promise((resolve) => open = resolve));
  world.source.executeIn(1, 8);
  const slow = first.pcs();
  for (let i = 1; i <= 20; i++) {
    world.source.executeIn(2, 8 * i);
    assert.is((await second.pcs()).length, i);
    while (world.source.isTargetHeld(2)) await turn();
  }
  open();
  assert.equal(await slow, [8]);
});

scenario("who is told of all has each target's PCs once", async (world, tids) => {
  const all = await world.enabled(1, { tid: tids[0] });
  const one = await world.enabled(2, { tid: tids[1], scope: new Set([2].map(targetId)) });
  world.source.executeIn(1, 8);
  world.source.executeIn(2, 16);
  assert.equal(await one.pcs(), [16]);
  await world.untilRest();
  while (world.source.isTargetHeld(2)) await turn();
  world.source.executeIn(2, 24);
  assert.equal((await all.pcs()).sort(), [16, 24, 8]);
});

scenario("a target that is in another's unit is stopped with it", async (world) => {
  world.source.units.set(5, 1);
  const client = await world.enabled(1, { scope: new Set([5].map(targetId)) });
  world.source.executeIn(5, 8);
  world.source.executeIn(1, 16);
  assert.equal(await client.pcs(), [8]);
  await world.untilRest();
  assert.is(world.log[0], "stop 1");
  world.source.units.set(5, 2);
  world.device.regroup();
  world.source.executeIn(5, 24);
  assert.equal(await client.pcs(), [8, 24]);
  assert.ok(world.log.includes("stop 2"), world.log.join());
});

device.run();
