import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Counts, noCounts } from "../../src/kcov/mod.ts";
import { type Client, DeviceWorld, PAGE, startThread } from "./device_world.ts";
import { DirectWorld } from "./direct_world.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";
import { targetId } from "../../src/kcov/ids.ts";

const device = suite("kcov/device, what it tells of instances");

const [ENABLE, DISABLE, RESET_TRACE] = [0x6364, 0x6365, 0x6368];
const WORDS = PAGE / 8;

/** This process, by its own name. */
const SELF = { pid: process.pid, name: readFileSync("/proc/self/comm", "utf8").trimEnd() };

/** The counts of the first instance, without times. */
async function countsOf(
  world: DeviceWorld,
): Promise<Omit<Counts, "collecting" | "answering" | "holding">> {
  const { executions, pcs, full, faults } = (await world.device.statuses())[0].counts!;
  return { executions, pcs, full, faults };
}

async function reads(world: DeviceWorld, client: Client): Promise<void> {
  await client.load(0);
  await client.save(0, 0n);
  await world.untilRest();
}

device("an instance has what it is, of what size, and whose", async () => {
  await using world = new DeviceWorld();
  world.device.open(nodeId(1), {
    scope: new Set([3, 4].map(targetId)),
    tid: threadId(process.pid),
  });
  const [client, scope] = [SELF, [3, 4]];
  assert.equal(await world.device.statuses(), [
    { id: 1, state: "opened", client, scope, counts: noCounts() },
  ]);
  const call = { tid: threadId(process.pid), cmd: 0x80086301, arg: BigInt(WORDS) };
  await world.device.ioctl(nodeId(1), call);
  const initialized = { id: 1, client, scope, words: WORDS, count: 0, counts: noCounts() };
  assert.equal(await world.device.statuses(), [{ ...initialized, state: "initialized" }]);
  await world.device.ioctl(nodeId(1), { ...call, cmd: ENABLE, arg: 0n });
  const owned = { state: "enabled", owner: process.pid, mode: "pc" };
  assert.equal(await world.device.statuses(), [{ ...initialized, ...owned }]);
  world.device.release(nodeId(1));
  assert.equal(await world.device.statuses(), []);
});

device("the client is the owner's process, else the one that has opened it", async () => {
  await using world = new DeviceWorld();
  const thread = startThread();
  world.device.open(nodeId(1), { scope: "all", tid: threadId(thread.tid) });
  world.device.open(nodeId(2), { scope: "all", tid: threadId(0x7fffffff) });
  const clients = async () => (await world.device.statuses()).map(({ client }) => client);
  assert.equal(await clients(), [{ pid: thread.tid, name: "cat" }, undefined]);
  const call = { tid: threadId(process.pid), cmd: 0x80086301, arg: BigInt(WORDS) };
  await world.device.ioctl(nodeId(1), call);
  await world.device.ioctl(nodeId(1), { ...call, cmd: ENABLE, arg: 0n });
  assert.equal(await clients(), [SELF, undefined]);
  await world.device.ioctl(nodeId(1), { ...call, cmd: DISABLE, arg: 0n });
  await thread.end();
  assert.equal(await clients(), [{ pid: thread.tid, name: "cat" }, undefined], "as it was then");
});

device("each reset to a read is an execution, and each PC is counted", async () => {
  await using world = new DeviceWorld();
  const client = await world.enabled(1);
  for (let i = 0; i < 5; i++) {
    world.source.execute(8, 16, 24);
    await reads(world, client);
  }
  assert.equal(await countsOf(world), { executions: 5, pcs: 15, full: 0, faults: 5 });
  assert.is((await world.device.statuses())[0].count, 0);
});

device("a reset after the window is a fault, and no execution", async () => {
  await using world = new DeviceWorld();
  const client = await world.enabled(1);
  for (let i = 0; i < 3; i++) {
    world.source.execute(8);
    await client.load(0);
    await world.untilRest();
    await client.save(0, 0n);
    await world.untilRest();
  }
  assert.equal(await countsOf(world), { executions: 3, pcs: 3, full: 0, faults: 6 });
});

device("KCOV_RESET_TRACE ends an execution, too", async () => {
  await using world = new DeviceWorld();
  const client = await world.enabled(1);
  for (let i = 0; i < 3; i++) {
    world.source.execute(8);
    await client.ioctl(RESET_TRACE);
    await world.untilRest();
  }
  world.source.execute(8);
  await client.ioctl(DISABLE);
  assert.equal(await countsOf(world), { executions: 4, pcs: 4, full: 0, faults: 0 });
});

device("executions that fill the area are counted", async () => {
  await using world = new DeviceWorld();
  const client = await world.enabled(1, { words: 4 });
  for (const pcs of [[8, 16], [8, 16, 24], [8, 16, 24, 32], [8]]) {
    world.source.execute(...pcs);
    await reads(world, client);
  }
  assert.equal(await countsOf(world), { executions: 4, pcs: 9, full: 2, faults: 4 });
});

device("the time of a fault is that of its collection, its answer and its hold", async () => {
  await using world = new DeviceWorld();
  const client = await world.enabled(1);
  let open = (): void => {};
  world.source.gate = new Promise<void>((resolve) => open = resolve);
  const began = performance.now();
  const loading = client.load(0);
  const waited = performance.now() + 5;
  while (performance.now() < waited);
  open();
  await loading;
  await world.untilRest();
  const whole = (performance.now() - began) * 1000;
  const { faults, collecting, answering, holding } = (await world.device.statuses())[0].counts!;
  assert.is(faults, 1);
  assert.ok(collecting >= 5000, "until the targets were held");
  assert.ok(answering >= 0 && holding > 0 && collecting + answering + holding <= whole);
});

device("what closed instances have counted stays in the total", async () => {
  const total = noCounts();
  await using world = new DeviceWorld({ total });
  for (const id of [1, 2]) {
    const client = await world.enabled(id);
    world.source.execute(8);
    await reads(world, client);
    await client.ioctl(DISABLE);
    client.close();
  }
  assert.equal([total.executions, total.pcs, total.faults], [2, 2, 2]);
});

device(
  "where clients map what targets write, the count is what is there, and nothing is counted",
  async () => {
    const total = noCounts();
    await using world = await DirectWorld.make({ total });
    const client = await world.enabled(1);
    world.write(0, [3n]);
    const { count, counts } = (await world.device.statuses())[0];
    assert.equal([count, counts, total], [3, undefined, noCounts()]);
    world.write(0, [(1n << 32n) + 5n]);
    assert.is((await world.device.statuses())[0].count, 2 ** 32 + 5);
    client.close();
    assert.equal((await world.device.statuses()).map(({ id, state }) => [id, state]), [[
      1,
      "enabled",
    ]]);
  },
);

device.run();
