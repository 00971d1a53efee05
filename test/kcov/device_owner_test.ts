import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../until.ts";
import { DeviceWorld, startThread } from "./device_world.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const device = suite("kcov/device, owners");

const ENABLE = 0x6364;
const [EBUSY, EINVAL] = [-16, -22];

device("an owner's death gives the instance back, with all that it has caused", async () => {
  await using world = new DeviceWorld();
  const thread = startThread();
  const client = await world.enabled(1, { tid: threadId(thread.tid) });
  world.source.execute(8);
  await thread.end();
  await until(() => world.stateOf(1) !== "enabled");
  assert.is(world.stateOf(1), "initialized");
  await world.untilRest();
  world.source.execute(16);
  assert.equal(await client.pcs(), [8]);
  const call = { cmd: ENABLE, arg: 0n, tid: threadId(process.pid) };
  assert.is(await world.device.ioctl(nodeId(1), call), 0);
});

device(
  "ENABLE by another finds out that the owner is dead without waiting to be told",
  async () => {
    await using world = new DeviceWorld();
    const thread = startThread();
    const client = await world.enabled(1, { tid: threadId(thread.tid) });
    const call = { cmd: ENABLE, arg: 0n, tid: threadId(process.pid) };
    assert.is(await world.device.ioctl(nodeId(1), call), EINVAL);
    world.source.execute(8);
    await thread.end();
    assert.is(await world.device.ioctl(nodeId(1), call), 0);
    world.source.execute(16);
    assert.equal(await client.pcs(), [8, 16], "what the first has caused stays");
  },
);

device("a dead thread's instance that was closed occupies nobody", async () => {
  await using world = new DeviceWorld();
  const thread = startThread();
  const client = await world.enabled(1, { tid: threadId(thread.tid) });
  client.close();
  const other = world.open(2, thread.tid);
  await other.initialize(2);
  assert.is(await other.ioctl(ENABLE), EBUSY);
  await thread.end();
  assert.is(await other.ioctl(ENABLE), EINVAL, "nobody is there any more");
});

device("an end leaves the living alone", async () => {
  await using world = new DeviceWorld();
  const [one, other] = [startThread(), startThread()];
  await world.enabled(1, { tid: threadId(one.tid) });
  await world.enabled(2, { tid: threadId(other.tid) });
  await one.end();
  await until(() => world.stateOf(1) !== "enabled");
  assert.equal([world.stateOf(1), world.stateOf(2)], ["initialized", "enabled"]);
  await other.end();
});

device.run();
