/** Instances whose areas are files that clients and targets map. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scenarios } from "../scenarios.ts";
import { until } from "../until.ts";
import { startThread, threads, turn } from "./device_world.ts";
import { DirectWorld } from "./direct_world.ts";
import { targetId } from "../../src/kcov/ids.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const device = suite("kcov/device, direct areas");

const [ENABLE, DISABLE, RESET_TRACE, REMOTE_ENABLE] = [0x6364, 0x6365, 0x6368, 0x40186366];
const [EIO, ENOMEM, EBUSY, EEXIST, EINVAL, ENOTSUPP] = [-5, -12, -16, -17, -22, -524];
const WORDS = 512;

const scenario = scenarios(device, () => DirectWorld.make());

/** A promise, and the function that fulfils it. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => open = resolve);
  return { promise, open };
}

/** KCOV_REMOTE_ENABLE's head with a common handle. */
function remote(mode: number, common: bigint): Uint8Array {
  const head = new DataView(new ArrayBuffer(24));
  head.setUint32(0, mode, true);
  head.setBigUint64(16, common, true);
  return new Uint8Array(head.buffer);
}

/** The words of an instance by read(2). */
async function readWords(world: DirectWorld, id: number, size: number): Promise<bigint[]> {
  const bytes = await world.device.read(nodeId(id), { offset: 0, size, isCall: true });
  return [...new BigUint64Array(bytes.slice().buffer)];
}

scenario("opening gives the file that the client is to map, one to each instance", (world) => {
  const opened = [1, 2].map((id) => world.open(id) && world.device.find(nodeId(id)));
  const files = opened.map((instance) => instance!.file!);
  assert.equal(files.map(({ path }) => path), world.files.map(({ path }) => path));
  assert.is(new Set(files.map(({ fd }) => fd)).size, 2);
});

device(
  "what makes files is asked when an instance is opened; without it none has one",
  async () => {
    let asked = 0;
    await using world = await DirectWorld.make({ files: () => void asked++ });
    assert.is(asked, 0);
    world.open(1);
    assert.is(asked, 1);
    assert.is(world.device.find(nodeId(1))!.file, undefined, "no files, no file");
  },
);

scenario("what is opened when a target has no probes is in the page cache", (world) => {
  world.open(1);
  world.source.counted.add(7);
  world.open(2);
  world.source.counted.delete(7);
  world.open(3);
  const hasFile = [1, 2, 3].map((id) => world.device.find(nodeId(id))!.file !== undefined);
  assert.equal(hasFile, [true, false, true]);
});

scenario("an instance is blind to what has no probes while its area is a file", async (world) => {
  world.open(1);
  world.source.counted.add(7);
  const client = world.open(2);
  assert.is(world.device.blindTo(targetId(7)), 1);
  await client.initialize(64);
  await client.ioctl(0x6364);
  assert.is(world.device.blindTo(targetId(7)), 1);
  world.device.release(nodeId(1));
  assert.is(world.device.blindTo(targetId(7)), 0);
});

scenario(
  "targets are told of areas of both kinds, and of each until it is disabled",
  async (world) => {
    const direct = world.open(1, 1);
    world.source.counted.add(7);
    const coherent = world.open(2, 2);
    for (const client of [direct, coherent]) {
      await client.initialize(64);
      await client.ioctl(0x6364);
    }
    const paths = world.source.traced.at(-1)!.map(({ path }) => path);
    assert.equal(paths, [world.files[0].path, undefined]);
    await direct.ioctl(0x6365);
    assert.equal(world.tracedIds, [2]);
    await coherent.ioctl(0x6365);
    assert.equal(world.tracedIds, []);
  },
);

for (const words of [2, 513, 64 * 1024]) {
  scenario(`INIT_TRACE of ${words} words makes the file as long`, async (world) => {
    const client = world.open(1);
    assert.is(world.sizeOf(1), undefined);
    assert.is(await client.initialize(words), 0);
    assert.is(world.sizeOf(1), words * 8);
    assert.equal(await readWords(world, 1, 1 << 20), Array(words).fill(0n));
    assert.equal(world.log, [], "nothing is stored in the page cache");
    assert.equal(world.source.traced, [], "and nobody is told");
  });
}

device("INIT_TRACE is ENOMEM where there is no memory, and can be repeated", async () => {
  await using world = await DirectWorld.make({ limit: 4096 });
  const client = world.open(1);
  assert.is(await client.initialize(513), ENOMEM);
  assert.is(world.stateOf(1), "opened");
  assert.is(await client.initialize(512), 0);
});

scenario("ENABLE answers when the targets write into the file, not before", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  const { promise, open } = gate();
  world.source.traceGate = promise;
  const results: number[] = [];
  const enabling = client.ioctl(ENABLE).then((result) => results.push(result));
  await turn();
  const { path } = world.files[0];
  const area = { id: 1, words: WORDS, mode: "pc", scope: "all", path };
  assert.equal(world.source.traced, [[area]]);
  assert.equal([results, world.stateOf(1)], [[], "initialized"]);
  open();
  await enabling;
  assert.equal([results, world.stateOf(1)], [[0], "enabled"]);
});

scenario("DISABLE answers when the targets write no more, not before", async (world) => {
  const client = await world.enabled(1);
  const { promise, open } = gate();
  world.source.traceGate = promise;
  const disabling = client.ioctl(DISABLE);
  await turn();
  assert.equal([world.tracedIds, world.stateOf(1)], [[], "enabled"]);
  open();
  assert.equal([await disabling, world.stateOf(1)], [0, "initialized"]);
});

scenario("RESET_TRACE sets the count to 0, and nobody is told", async (world) => {
  const client = await world.enabled(1);
  world.write(0, [2n, 7n, 8n]);
  const told = world.source.traced.length;
  assert.is(await client.ioctl(RESET_TRACE), 0);
  assert.equal(await readWords(world, 1, 32), [0n, 7n, 8n, 0n]);
  assert.equal([world.source.traced.length, world.log], [told, []]);
});

scenario("the data stays when an instance is disabled, and enabled again", async (world) => {
  const client = await world.enabled(1);
  world.write(0, [1n, 7n]);
  await client.ioctl(DISABLE);
  await client.ioctl(ENABLE);
  assert.equal(await readWords(world, 1, 16), [1n, 7n]);
});

scenario("nobody is ever held, whatever a client does", async (world) => {
  const client = await world.enabled(1);
  await world.device.read(nodeId(1), { offset: 0, size: 4096, isCall: true });
  await client.ioctl(RESET_TRACE);
  world.device.write(nodeId(1), { offset: 0, bytes: new Uint8Array(4096), read: 1 });
  world.device.regroup();
  await client.ioctl(DISABLE);
  client.close();
  assert.equal(world.log, []);
});

scenario("the states of an instance are those of kcov", async (world) => {
  const [one, other] = threads();
  const client = world.open(1, one);
  assert.is(await client.ioctl(ENABLE), EINVAL);
  for (const cmd of [DISABLE, RESET_TRACE]) assert.is(await client.ioctl(cmd), EINVAL);
  assert.equal([await client.initialize(WORDS), await client.initialize(WORDS)], [0, EBUSY]);
  for (const cmd of [DISABLE, RESET_TRACE]) assert.is(await client.ioctl(cmd), EINVAL);
  assert.equal([await client.ioctl(ENABLE), await client.ioctl(ENABLE)], [0, EINVAL]);
  for (const cmd of [DISABLE, RESET_TRACE]) {
    assert.is(await client.ioctl(cmd, 1), EINVAL);
    assert.is(await world.device.ioctl(nodeId(1), { cmd, arg: 0n, tid: threadId(other) }), EINVAL);
  }
  const second = world.open(2, one);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(ENABLE), EBUSY);
  assert.equal(world.tracedIds, [1], "what is refused is not traced");
});

scenario("read(2) is EINVAL before INIT_TRACE, EIO when nothing is open", (world) => {
  world.open(1);
  assert.throws(() => world.device.read(nodeId(1), { offset: 0, size: 8, isCall: true }), /EINVAL/);
  assert.throws(() => world.device.read(nodeId(2), { offset: 0, size: 8, isCall: true }), /EIO/);
});

scenario("read(2) brings what is in the file, up to the area's end", async (world) => {
  const client = world.open(1);
  await client.initialize(4);
  world.write(0, [3n, 4n, 5n, 6n]);
  const bytes = async (offset: number, size: number) =>
    Buffer.from(await world.device.read(nodeId(1), { offset, size, isCall: true })).toString("hex");
  assert.is(await bytes(0, 8), "0300000000000000");
  assert.is(await bytes(25, 4096), "00".repeat(7));
  assert.is(await bytes(7, 2), "0004");
  assert.equal([await bytes(32, 8), await bytes(4096, 4096)], ["", ""]);
});

scenario("splice(2) is EINVAL, for what it reads would stay in the page cache", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  assert.throws(() => world.device.read(nodeId(1), { offset: 0, size: 4096 }), /EINVAL/);
});

for (const isEnabled of [false, true]) {
  const state = isEnabled ? "disabled before" : "never enabled";
  scenario(`closing an instance that is ${state} removes its file`, async (world) => {
    const client = isEnabled ? await world.enabled(1) : world.open(1);
    if (isEnabled) await client.ioctl(DISABLE);
    const told = world.source.traced.length;
    client.close();
    await turn();
    assert.equal([world.present, world.device.instances], [[], []]);
    assert.is(world.source.traced.length, told);
  });
}

device("an instance that is closed while enabled is traced until its thread ends", async () => {
  await using world = await DirectWorld.make();
  const thread = startThread();
  const client = await world.enabled(1, { tid: threadId(thread.tid) });
  client.close();
  const second = world.open(2, thread.tid);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(ENABLE), EBUSY, "its thread still has one");
  assert.equal([world.present, world.tracedIds], [[0, 1], [1]]);
  await thread.end();
  await until(() => world.present.length === 1);
  assert.equal([world.present, world.tracedIds], [[1], []]);
});

device("a node that is opened anew while its first instance is traced is another", async () => {
  await using world = await DirectWorld.make();
  const thread = startThread();
  const first = await world.enabled(1, { tid: threadId(thread.tid) });
  first.close();
  const second = await world.enabled(1, { tid: threadId(process.pid) });
  assert.equal([world.present, world.tracedIds], [[0, 1], [1, 1]]);
  await thread.end();
  await until(() => world.present.length === 1);
  assert.equal([world.present, world.tracedIds, world.stateOf(1)], [[1], [1], "enabled"]);
  assert.is(await second.ioctl(DISABLE), 0);
});

device("an instance that is closed while its dead owner's is given back goes, too", async () => {
  await using world = await DirectWorld.make();
  const thread = startThread();
  const client = await world.enabled(1, { tid: threadId(thread.tid) });
  const { promise, open } = gate();
  world.source.traceGate = promise;
  const told = new Promise<void>((resolve) => world.source.onTrace = resolve);
  const alive = setInterval(() => {}, 1000);
  await thread.end();
  await told;
  client.close();
  open();
  clearInterval(alive);
  await until(() => world.present.length === 0);
  assert.equal([world.present, world.tracedIds], [[], []]);
});

device("an owner's death gives the instance back, and its data stays", async () => {
  await using world = await DirectWorld.make();
  const thread = startThread();
  await world.enabled(1, { tid: threadId(thread.tid) });
  world.write(0, [1n, 7n]);
  await thread.end();
  await until(() => world.stateOf(1) !== "enabled");
  assert.equal([world.stateOf(1), world.tracedIds], ["initialized", []]);
  const call = { cmd: ENABLE, arg: 0n, tid: threadId(process.pid) };
  assert.is(await world.device.ioctl(nodeId(1), call), 0);
  assert.equal([await readWords(world, 1, 16), world.tracedIds], [[1n, 7n], [1]]);
});

scenario("an instance that is closed while ENABLE waits is not enabled", async (world) => {
  const [one, other] = threads();
  const client = world.open(1, one);
  await client.initialize(WORDS);
  const { promise, open } = gate();
  world.source.traceGate = promise;
  const enabling = client.ioctl(REMOTE_ENABLE, 0, remote(0, 3n));
  while (world.source.traced.length === 0) await turn();
  client.close();
  open();
  assert.is(await enabling, EIO);
  await turn();
  assert.equal([world.tracedIds, world.present, world.device.instances], [[], [], []]);
  const second = world.open(2, one);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(ENABLE), 0, "its thread is free");
  const third = world.open(3, other);
  await third.initialize(WORDS);
  assert.is(await third.ioctl(REMOTE_ENABLE, 0, remote(0, 3n)), 0, "and so is its handle");
});

scenario("instances are traced side by side, each by its own file", async (world) => {
  const [one, other] = threads();
  const first = await world.enabled(1, { tid: threadId(one) });
  const second = await world.enabled(2, {
    tid: threadId(other),
    words: 64,
    scope: new Set([5].map(targetId)),
  });
  const paths = world.files.map(({ path }) => path);
  assert.equal(world.source.traced.at(-1), [
    { id: 1, words: WORDS, mode: "pc", scope: "all", path: paths[0] },
    { id: 2, words: 64, mode: "pc", scope: new Set([5].map(targetId)), path: paths[1] },
  ]);
  await first.ioctl(DISABLE);
  assert.equal(world.tracedIds, [2]);
  await second.ioctl(DISABLE);
  assert.equal(world.tracedIds, []);
});

scenario("REMOTE_ENABLE's handles are the scope that targets are told of", async (world) => {
  const [one, other] = threads();
  const client = world.open(1, one);
  await client.initialize(WORDS);
  assert.is(await client.ioctl(REMOTE_ENABLE, 0, remote(0, 7n)), 0);
  assert.equal(world.source.traced.at(-1)![0].scope, new Set([7].map(targetId)));
  const second = world.open(2, other);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(REMOTE_ENABLE, 0, remote(0, 7n)), EEXIST);
  await client.ioctl(DISABLE);
  assert.is(await second.ioctl(REMOTE_ENABLE, 0, remote(0, 7n)), 0);
  await client.ioctl(ENABLE);
  assert.equal(world.source.traced.at(-1)!.map(({ scope }) => scope), [
    new Set([7].map(targetId)),
    "all",
  ]);
});

scenario("comparisons are traced where all targets can give them", async (world) => {
  const [one, other] = threads();
  const client = world.open(1, one);
  await client.initialize(WORDS);
  assert.is(await client.ioctl(ENABLE, 1), ENOTSUPP);
  world.source.kind = "trace";
  assert.is(await client.ioctl(ENABLE, 2), EINVAL);
  assert.is(await client.ioctl(ENABLE, 1), 0);
  const second = world.open(2, other);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(REMOTE_ENABLE, 0, remote(1, 2n)), 0);
  assert.equal(world.source.traced.at(-1)!.map(({ mode }) => mode), ["cmp", "cmp"]);
});

device("disposing has targets write nowhere, and leaves no file", async () => {
  const world = await DirectWorld.make();
  const [one, other] = threads();
  await world.enabled(1, { tid: threadId(one) });
  (await world.enabled(2, { tid: threadId(other) })).close();
  world.open(3);
  await world.device[Symbol.asyncDispose]();
  assert.equal([world.tracedIds, world.present], [[], []]);
  await world[Symbol.asyncDispose]();
});

device.run();
