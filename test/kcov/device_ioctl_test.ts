import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DeviceWorld, PAGE, startThread, threads } from "./device_world.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const device = suite("kcov/device, ioctls");

// Clients have these numbers, so they are written here once more.
const ENABLE = 0x6364;
const DISABLE = 0x6365;
const UNIQUE_ENABLE = 0x40086367;
const RESET_TRACE = 0x6368;
const [EIO, EBUSY, EINVAL, ENOTTY, ENOTSUPP] = [-5, -16, -22, -25, -524];

/** KCOV_FOLD. */
const FOLD = 0x40000000;
const MOST_WORDS = 0x7fffffff >> 3;

/** Runs a test in a world of its own, with two threads. */
function scenario(
  sentence: string,
  run: (world: DeviceWorld, tids: readonly [number, number]) => unknown,
): void {
  device(sentence, async () => {
    await using world = new DeviceWorld();
    const [one, other] = threads();
    await run(world, [one, other]);
  });
}

for (const words of [0n, 1n, BigInt(MOST_WORDS) + 1n, 1n << 31n, (1n << 64n) - 1n]) {
  scenario(`INIT_TRACE of ${words} words is EINVAL, whatever the state`, async (world) => {
    const client = world.open(1);
    assert.is(await client.initialize(words), EINVAL);
    assert.equal([world.stateOf(1), world.log], ["opened", []]);
    await client.initialize(2);
    assert.is(await client.initialize(words), EINVAL);
    await client.ioctl(ENABLE);
    assert.is(await client.initialize(words), EINVAL);
  });
}

for (const words of [2, 3, 512, 513, 1000, 64 * 1024, MOST_WORDS]) {
  scenario(`INIT_TRACE of ${words} words makes the file as long`, async (world) => {
    const client = world.open(1);
    assert.is(world.sizeOf(1), undefined);
    assert.is(await client.initialize(words), 0);
    assert.equal([world.cache.sizes.get(1), world.sizeOf(1)], [words * 8, words * 8]);
    assert.is(await client.load(words - 1), 0n);
    const end = Math.ceil(words / (PAGE / 8)) * (PAGE / 8);
    assert.is(await client.load(end).catch((error: Error) => error.message), "SIGBUS");
  });
}

scenario("a second INIT_TRACE is EBUSY", async (world) => {
  const client = world.open(1);
  assert.equal([await client.initialize(2), await client.initialize(2)], [0, EBUSY]);
  await client.ioctl(ENABLE);
  assert.is(await client.initialize(4), EBUSY);
  assert.is(world.sizeOf(1), 16);
});

scenario("INIT_TRACE whose file cannot be extended is EIO, and can be repeated", async (world) => {
  const client = world.open(1);
  world.cache.errno = -28;
  assert.is(await client.initialize(2), EIO);
  assert.is(world.stateOf(1), "opened");
  world.cache.errno = 0;
  assert.is(await client.initialize(2), 0);
});

scenario("of two INIT_TRACEs at once one is done", async (world) => {
  const client = world.open(1);
  const results = await Promise.all([client.initialize(2), client.initialize(4)]);
  assert.equal([results, world.sizeOf(1)], [[0, EBUSY], 16]);
});

scenario("ENABLE before INIT_TRACE, or twice, is EINVAL", async (world, [one, other]) => {
  const client = world.open(1, one);
  assert.is(await client.ioctl(ENABLE), EINVAL);
  await client.initialize(2);
  assert.equal([await client.ioctl(ENABLE), await client.ioctl(ENABLE)], [0, EINVAL]);
  const call = { cmd: ENABLE, arg: 0n, tid: threadId(other) };
  assert.is(await world.device.ioctl(nodeId(1), call), EINVAL, "by another thread, too");
  assert.is(await client.ioctl(ENABLE, 7), EINVAL, "whatever the mode");
});

scenario("ENABLE knows three modes, one of which no target can give", async (world) => {
  const client = world.open(1);
  await client.initialize(2);
  assert.is(await client.ioctl(ENABLE, 1), ENOTSUPP);
  const wrong = [2, 3, FOLD + 1, FOLD + 2, 2 * FOLD, FOLD / 2, 1n << 32n, (1n << 32n) + 1n];
  for (const mode of [...wrong, (1n << 64n) - 1n]) {
    assert.is(await client.ioctl(ENABLE, mode), EINVAL, String(mode));
  }
  assert.is(world.stateOf(1), "initialized");
  for (const mode of [0, FOLD]) {
    assert.is(await client.ioctl(ENABLE, mode), 0);
    await client.ioctl(DISABLE);
  }
});

scenario("a thread enables one instance at a time", async (world, [one, other]) => {
  const first = await world.enabled(1, { tid: threadId(one) });
  const second = world.open(2, one);
  assert.is(await second.ioctl(ENABLE), EINVAL, "not initialised is found out first");
  await second.initialize(2);
  assert.is(await second.ioctl(ENABLE), EBUSY);
  assert.is(await second.ioctl(ENABLE, 9), EBUSY, "found out before the mode");
  assert.is(await world.device.ioctl(nodeId(2), { cmd: ENABLE, arg: 0n, tid: threadId(other) }), 0);
  await world.device.ioctl(nodeId(2), { cmd: DISABLE, arg: 0n, tid: threadId(other) });
  await first.ioctl(DISABLE);
  assert.is(await second.ioctl(ENABLE), 0);
});

scenario("an instance that is closed while enabled still occupies its thread", async (world) => {
  const first = await world.enabled(1);
  first.close();
  const second = world.open(2);
  await second.initialize(2);
  assert.is(await second.ioctl(ENABLE), EBUSY);
});

scenario("a thread that is not there enables nothing", async (world) => {
  const thread = startThread();
  await thread.end();
  const client = world.open(1, thread.tid);
  await client.initialize(2);
  assert.is(await client.ioctl(ENABLE), EINVAL);
  assert.is(
    await world.device.ioctl(nodeId(1), { cmd: ENABLE, arg: 0n, tid: threadId(0) }),
    EINVAL,
  );
  assert.is(world.stateOf(1), "initialized");
});

for (const [name, cmd] of [["DISABLE", DISABLE], ["RESET_TRACE", RESET_TRACE]] as const) {
  scenario(`${name} is for the owner, without an argument`, async (world, [one, other]) => {
    const client = world.open(1, one);
    assert.is(await client.ioctl(cmd), EINVAL);
    await client.initialize(2);
    assert.is(await client.ioctl(cmd), EINVAL);
    await client.ioctl(ENABLE);
    for (const argument of [1, 1n << 63n]) assert.is(await client.ioctl(cmd, argument), EINVAL);
    assert.is(await world.device.ioctl(nodeId(1), { cmd, arg: 0n, tid: threadId(other) }), EINVAL);
    assert.is(world.stateOf(1), "enabled");
    assert.is(await client.ioctl(cmd), 0);
  });
}

scenario("DISABLE gives the instance back, to be enabled by anyone", async (world, [, other]) => {
  const client = await world.enabled(1);
  assert.equal([await client.ioctl(DISABLE), await client.ioctl(DISABLE)], [0, EINVAL]);
  assert.is(await world.device.ioctl(nodeId(1), { cmd: ENABLE, arg: 0n, tid: threadId(other) }), 0);
});

scenario("what kcov has no ioctl of is ENOTTY, in each state", async (world) => {
  const client = world.open(1);
  const others = [0, 0x6300, 0x6363, 0x6366, UNIQUE_ENABLE, 0x80086300, 0xffffffff, 0x5401];
  for (const step of [() => 0, () => client.initialize(2), () => client.ioctl(ENABLE)]) {
    await step();
    for (const cmd of others) assert.is(await client.ioctl(cmd), ENOTTY, cmd.toString(16));
  }
});

scenario("ioctls on one instance follow each other, those on others do not wait", async (world) => {
  const [one, other] = threads();
  const [first, second] = [world.open(1, one), world.open(2, other)];
  await first.initialize(PAGE);
  let open!: (value?: unknown) => void;
  world.source.gate = new Promise((resolve) => open = resolve);
  const done: string[] = [];
  const note = (name: string, call: Promise<number>) =>
    call.then((result) => done.push(`${name} ${result}`));
  const calls = [
    note("enable", first.ioctl(ENABLE)),
    note("disable", first.ioctl(DISABLE)),
    note("reset", first.ioctl(RESET_TRACE)),
  ];
  await note("initialize", second.initialize(2));
  assert.equal(done, ["initialize 0"]);
  open();
  await Promise.all(calls);
  assert.equal(done.slice(1), ["enable 0", "disable 0", `reset ${EINVAL}`]);
});

scenario("an ioctl on what is not open is EIO", (world) => {
  assert.throws(
    () => world.device.ioctl(nodeId(7), { cmd: ENABLE, arg: 0n, tid: threadId(1) }),
    /EIO/,
  );
  assert.throws(() => world.device.read(nodeId(7), { offset: 0, size: PAGE }), /EIO/);
});

device.run();
