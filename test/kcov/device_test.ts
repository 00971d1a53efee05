import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scenarios } from "../scenarios.ts";
import { DeviceWorld, PAGE, threads, turn } from "./device_world.ts";
import { nodeId } from "../../src/fuse/ids.ts";
import { threadId } from "../../src/base/thread_id.ts";

const device = suite("kcov/device");

const [ENABLE, DISABLE, RESET_TRACE] = [0x6364, 0x6365, 0x6368];
const WORDS = PAGE / 8;

/** PCs, by their lower halves. */
const pcs = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => 8 * (from + i));

const scenario = scenarios(device, () => new DeviceWorld());

scenario("a page that is touched brings what was executed until then", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(8, 16);
  assert.equal(await client.pcs(), [8, 16]);
  await world.untilRest();
  world.source.execute(16, 24);
  assert.equal(await client.pcs(), [8, 16, 24]);
});

scenario("a PC has the kernel's upper half", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(0x80000008);
  await client.load(0);
  assert.is(await client.load(1), 0xffffffff80000008n);
});

scenario(
  "page 0 is answered in a hold, and is gone before the targets run again",
  async (world) => {
    const client = await world.enabled(1);
    await client.load(0);
    assert.ok(world.source.isHeld && world.cache.isCached(1, 0));
    await world.untilRest();
    assert.equal(world.log, ["stop", "read 1 0", "drop 1", "release"]);
    assert.not(world.cache.isCached(1, 0));
  },
);

scenario("a client's store of 0 in the window begins anew", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(8);
  assert.equal(await client.pcs(), [8]);
  await client.save(0, 0n);
  await world.untilRest();
  assert.is(world.log.filter((line) => line === "stop").length, 1, "it cost no fault");
  world.source.execute(8, 16);
  assert.equal(await client.pcs(), [8, 16], "what was seen before is new again");
});

scenario("a store after the window is a fault of its own, and begins anew", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(8);
  await client.load(0);
  await world.untilRest();
  world.source.execute(16);
  await client.save(0, 0n);
  await world.untilRest();
  world.source.execute(8);
  assert.equal(await client.pcs(), [8]);
});

scenario("instances each have all PCs, in an area of their own", async (world) => {
  const [one, other] = threads();
  const first = await world.enabled(1, { tid: threadId(one) });
  world.source.execute(8);
  assert.equal(await first.pcs(), [8]);
  await first.save(0, 0n);
  await world.untilRest();
  const second = await world.enabled(2, { tid: threadId(other) });
  world.source.execute(16);
  assert.equal(await Promise.all([first.pcs(), second.pcs()]), [[16], [16]]);
  await world.untilRest();
  world.source.execute(8);
  assert.equal(await Promise.all([second.pcs(), first.pcs()]), [[16, 8], [16, 8]]);
});

scenario("what was executed before ENABLE is not in the area", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  world.source.execute(8);
  await client.ioctl(ENABLE);
  world.source.execute(16);
  assert.equal(await client.pcs(), [16]);
});

scenario("what was executed before DISABLE is, what comes after is not", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(8);
  await client.ioctl(DISABLE);
  world.source.execute(16);
  assert.equal(await client.pcs(), [8]);
  await client.ioctl(ENABLE);
  assert.equal(await client.pcs(), [8], "the data stays");
});

scenario("RESET_TRACE leaves out what was executed before it", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(8, 16);
  assert.is(await client.ioctl(RESET_TRACE), 0);
  assert.is(await client.load(0), 0n);
  await world.untilRest();
  world.source.execute(16);
  assert.equal(await client.pcs(), [16]);
});

scenario("ioctls let the targets run again", async (world) => {
  const client = await world.enabled(1);
  for (const cmd of [RESET_TRACE, DISABLE, ENABLE]) {
    await client.ioctl(cmd);
    await world.untilRest();
    world.source.execute(8);
  }
});

scenario("PCs that do not fit are dropped, silently", async (world) => {
  for (const [id, words] of [2, 3, WORDS, WORDS + 1, 2 * WORDS + 7].entries()) {
    const client = await world.enabled(id + 1, { words });
    world.source.execute(...pcs(1, 3 * WORDS));
    assert.equal(await client.pcs(), pcs(1, words - 1));
    await client.ioctl(DISABLE);
  }
});

scenario("pages above page 0 are stored before page 0 is answered", async (world) => {
  const client = await world.enabled(1, { words: 8 * WORDS });
  world.source.execute(...pcs(1, 2 * WORDS));
  await client.load(0);
  assert.equal(world.log, ["stop", `store 1 ${PAGE} ${PAGE + 8}`, "read 1 0"]);
  assert.is(await client.load(2 * WORDS), 0xffffffff00000000n + BigInt(16 * WORDS));
  assert.is(world.cache.reads, 1, "without a fault");
});

scenario("an instance that is not enabled is read without stopping the targets", async (world) => {
  const client = world.open(1);
  await client.initialize(2 * WORDS);
  await client.save(0, 7n);
  assert.equal([await client.load(0), await client.load(WORDS)], [7n, 0n]);
  assert.not(world.log.includes("stop"));
});

scenario("read(2) of an uninitialised instance is EINVAL", (world) => {
  world.open(1);
  assert.throws(() => world.device.read(nodeId(1), { offset: 0, size: PAGE }), /EINVAL/);
});

scenario("read(2) of several pages brings page 0 with what follows it", async (world) => {
  const client = await world.enabled(1, { words: 4 * WORDS });
  world.source.execute(...pcs(1, WORDS));
  const bytes = await world.device.read(nodeId(1), { offset: 0, size: 2 * PAGE });
  const words = new BigUint64Array(bytes.slice().buffer);
  assert.equal([words.length, words[0], words[WORDS]], [
    2 * WORDS,
    BigInt(WORDS),
    0xffffffff00000000n + BigInt(8 * WORDS),
  ]);
  await world.untilRest();
  assert.is(await client.load(0), BigInt(WORDS));
});

scenario("readers of page 0 at the same time get one answer", async (world) => {
  await world.enabled(1);
  world.source.execute(8);
  const read = () => world.device.read(nodeId(1), { offset: 0, size: PAGE });
  const answers = await Promise.all([read(), read(), read()]);
  assert.equal(answers.map((bytes) => bytes[0]), [1, 1, 1]);
  await world.untilRest();
  assert.is(world.log.filter((line) => line === "stop").length, 1);
});

scenario(
  "a client that goes through an area of 65,536 words has no fault but page 0's",
  async (world) => {
    const words = 128 * WORDS;
    const client = world.open(1);
    await client.initialize(words);
    assert.not(world.cache.isCached(1, 0));
    for (let word = 0; word < words; word += WORDS) await client.save(word, 5n);
    assert.is(world.cache.reads, 1);
    assert.is(await client.load(words - WORDS), 5n);
  },
);

scenario("nothing is stored where the client may have written", async (world) => {
  const words = 256 * WORDS;
  const client = world.open(1);
  await client.initialize(words);
  world.log.length = 0;
  for (let word = WORDS; word < words; word += WORDS) await client.save(word, 5n);
  assert.not.ok(world.log.some((line) => line.startsWith("store")));
});

scenario("a page that the kernel has reclaimed is read again as it was", async (world) => {
  const client = await world.enabled(1, { words: 4 * WORDS });
  world.source.execute(...pcs(1, WORDS));
  await client.load(0);
  world.cache.reclaim(1, 0);
  assert.is(await client.load(0), BigInt(WORDS));
  await world.untilRest();
  world.cache.reclaim(1, 1);
  assert.is(await client.load(WORDS), 0xffffffff00000000n + BigInt(8 * WORDS));
});

scenario(
  "closing in the middle of a read, or with an ioctl waiting, is survived",
  async (world) => {
    const [one, other] = threads();
    const closing = await world.enabled(1, { tid: threadId(one) });
    const staying = await world.enabled(2, { tid: threadId(other) });
    let open!: (value?: unknown) => void;
    world.source.gate = new Promise((resolve) => open = resolve);
    world.source.execute(8);
    const refused = closing.load(0).then(() => "", ({ message }) => message);
    const loaded = staying.pcs();
    await turn();
    closing.close();
    assert.is(await refused, "EIO");
    world.device.write(nodeId(1), { offset: 0, bytes: new Uint8Array(PAGE), read: 1 });
    open();
    assert.equal(await loaded, [8]);
    await world.untilRest();
    assert.equal(world.device.instances.map(({ id }) => id), [2]);
  },
);

scenario("the last close of a held instance lets the targets run", async (world) => {
  const client = await world.enabled(1);
  await client.load(0);
  assert.ok(world.source.isHeld);
  client.close();
  await world.untilRest();
  assert.equal(world.device.instances, []);
});

scenario("nothing is kept of instances that were opened and closed", async (world) => {
  for (let id = 1; id <= 100; id++) {
    const client = await world.enabled(id);
    world.source.execute(8);
    assert.equal(await client.pcs(), [8]);
    await client.ioctl(DISABLE);
    client.close();
  }
  assert.equal(world.device.instances, []);
  await world.untilRest();
});

scenario("a node that is opened anew is a new instance", async (world) => {
  const client = await world.enabled(1);
  await client.ioctl(DISABLE);
  client.close();
  assert.is(world.device.find(nodeId(1)), undefined);
  world.open(1);
  assert.is(world.stateOf(1), "opened");
});

device(
  "ioctls, their results and the protocol's steps are logged where that is wanted",
  async () => {
    const lines: string[] = [];
    const log = Object.assign((line: string) => void lines.push(line), { enabled: true });
    await using world = new DeviceWorld({ log });
    const client = await world.enabled(3);
    await client.load(0);
    const text = lines.join("\n");
    assert.match(lines[0], /^n3: KCOV_INIT_TRACE\(512\) by thread \d+$/);
    assert.is(lines[1], "n3: KCOV_INIT_TRACE(512) is done");
    assert.match(text, /\nn3: enable is wanted -> stop \d: stop targets\n/);
    assert.match(text, /\nn3: KCOV_ENABLE\(KCOV_TRACE_PC\) is done\n/);
    assert.match(
      text,
      /\nn3: the pages above are stored -> n3: answer; n3: leave page 0 for \d+ us/,
    );
    lines.length = 0;
    await client.ioctl(0x6364);
    assert.match(lines.join("\n"), /\nn3: KCOV_ENABLE\(KCOV_TRACE_PC\) is EINVAL$/);
  },
);

device("disposing lets the targets run and leaves no timer", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const world = new DeviceWorld();
  const client = await world.enabled(1);
  await client.load(0);
  await world[Symbol.asyncDispose]();
  assert.equal([world.source.isHeld, timers()], [false, before]);
  await world.untilRest();
});

device.run();
