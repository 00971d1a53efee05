import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Meters } from "../../src/server/meters.ts";
import { DeviceWorld } from "../kcov/device_world.ts";

const meters = suite("meters");

meters("the instances of all devices are told, and what they add up to", async () => {
  const devices = new Set<DeviceWorld["device"]>();
  const subject = new Meters({ devices, covered: { size: 7 } });
  const { total } = subject;
  await using one = new DeviceWorld({ total });
  await using other = new DeviceWorld({ total });
  devices.add(one.device).add(other.device);
  const clients = [await one.enabled(1), await other.enabled(2)];
  for (const [i, world] of [one, other].entries()) {
    const client = clients[i];
    world.source.execute(8, 16);
    await client.load(0);
  }
  const taken = await subject.take();
  assert.equal(taken.instances.map(({ id, counts }) => [id, counts!.pcs]), [[1, 2], [2, 2]]);
  assert.equal([taken.total.executions, taken.total.pcs, taken.coveredBlocks], [2, 4, 7]);
  await Promise.all([one.untilRest(), other.untilRest()]);
  const { faults } = taken.total;
  await clients[1].load(0);
  await other.untilRest();
  assert.is(taken.total.faults, faults, "what was taken is of its time");
  assert.is((await subject.take()).total.faults, 3);
});

meters("the time grows from the beginning on", async () => {
  const subject = new Meters({ devices: new Set(), covered: { size: 0 } });
  const first = await subject.take();
  const second = await subject.take();
  assert.ok(first.uptime >= 0 && second.uptime >= first.uptime && second.uptime < 60);
});

meters.run();
