/** Traces and comparisons that are collected while targets are held. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scenarios } from "../scenarios.ts";
import { foldedWord } from "../folding/edge_counts.ts";
import { type Client, DeviceWorld, PAGE, threads, turn } from "./device_world.ts";

const device = suite("kcov/device, traces");

const [ENABLE, DISABLE] = [0x6364, 0x6365];
const [EIO, EINVAL, ENOTSUPP] = [-5, -22, -524];
/** KCOV_FOLD. */
const FOLD = 0x40000000;
const WORDS = PAGE / 8;
const HIGH = 0xffffffff00000000n;

/** The two halves of the four words of `KCOV_CMP_SIZE(2) | KCOV_CMP_CONST`, 5, 9 and a PC. */
const RECORD = [5, 0, 5, 0, 9, 0, 8, 0xffffffff];
const RECORD_WORDS = [5n, 5n, 9n, HIGH + 8n];

const scenario = scenarios(device, () => {
  const world = new DeviceWorld();
  world.source.kind = "trace";
  return world;
});

/** Opens, initialises and enables an instance for comparisons. */
async function comparing(
  world: DeviceWorld,
  id: number,
  { tid = process.pid, words = WORDS } = {},
): Promise<Client> {
  const client = world.open(id, tid);
  await client.initialize(words);
  assert.is(await client.ioctl(ENABLE, 1), 0);
  world.log.length = 0;
  world.source.kind = "comparisons";
  return client;
}

/** Records, as many as `area[0]` says. */
async function records(client: Client): Promise<bigint[][]> {
  const count = Number(await client.load(0));
  const found = [];
  for (let i = 0; i < count; i++) {
    const words = [1, 2, 3, 4].map((word) => client.load(4 * i + word));
    found.push(await Promise.all(words));
  }
  return found;
}

scenario("a trace keeps order and repeats, over several collections, too", async (world) => {
  const client = await world.enabled(1);
  world.source.execute(24, 8, 24, 24);
  assert.equal(await client.pcs(), [24, 8, 24, 24]);
  await world.untilRest();
  world.source.execute(8, 24);
  assert.equal(await client.pcs(), [24, 8, 24, 24, 8, 24]);
  assert.is(await client.load(1), HIGH + 24n);
});

scenario("a trace that does not fit is cut, at one word less than the area has", async (world) => {
  for (const [id, words] of [2, 3, WORDS, WORDS + 1, 2 * WORDS + 7].entries()) {
    const client = await world.enabled(id + 1, { words });
    world.source.execute(...Array(3 * WORDS).fill(8));
    assert.equal(await client.pcs(), Array(words - 1).fill(8));
    await client.ioctl(DISABLE);
  }
});

scenario("a trace's pages above page 0 are stored before page 0 is answered", async (world) => {
  const client = await world.enabled(1, { words: 8 * WORDS });
  world.source.execute(...Array(2 * WORDS).fill(8));
  await client.load(0);
  assert.equal(world.log, ["stop", `store 1 ${PAGE} ${PAGE + 8}`, "read 1 0"]);
  assert.is(await client.load(2 * WORDS), HIGH + 8n);
});

scenario("a comparison is four words, and area[0] counts comparisons", async (world) => {
  const client = await comparing(world, 1);
  world.source.execute(...RECORD, ...RECORD);
  assert.equal(await records(client), [RECORD_WORDS, RECORD_WORDS]);
  await world.untilRest();
  const wide = [6, 0, 1, 2, 3, 4, 16, 0xffffffff];
  world.source.execute(...wide);
  const words = [6n, 2n << 32n | 1n, 4n << 32n | 3n, HIGH + 16n];
  assert.equal(await records(client), [RECORD_WORDS, RECORD_WORDS, words]);
});

for (const [words, most] of [[2, 0], [4, 0], [5, 1], [8, 1], [9, 2], [WORDS, 127]]) {
  scenario(`${words} words hold ${most} comparisons, and drop the others`, async (world) => {
    const client = await comparing(world, 1, { words });
    for (let i = 0; i < 128; i++) world.source.execute(...RECORD);
    assert.equal(await records(client), Array(most).fill(RECORD_WORDS));
    await world.untilRest();
    world.source.execute(...RECORD);
    assert.is(await client.load(0), BigInt(most));
  });
}

scenario("comparisons above page 0 are stored before page 0 is answered", async (world) => {
  const client = await comparing(world, 1, { words: 4 * WORDS });
  for (let i = 0; i < 200; i++) world.source.execute(...RECORD);
  await client.load(0);
  assert.equal(world.log, ["stop", `store 1 ${PAGE} 2312`, "read 1 0"]);
  assert.equal(await records(client), Array(200).fill(RECORD_WORDS));
});

scenario("comparisons go where the client sets the count, if they fit", async (world) => {
  const client = await comparing(world, 1, { words: 17 });
  const reset = async (count: bigint) => {
    await client.load(0);
    await client.save(0, count);
    await world.untilRest();
    world.source.execute(...RECORD);
  };
  await reset(0n);
  assert.equal(await records(client), [RECORD_WORDS]);
  await reset(3n);
  assert.equal((await records(client)).at(3), RECORD_WORDS);
  for (const count of [4n, 5n, 17n, 1n << 32n, (1n << 64n) - 1n]) {
    await reset(count);
    assert.is(await client.load(0), count);
  }
});

scenario("who wants PCs gets no comparisons, and the other way", async (world) => {
  const [one, other] = threads();
  const pcs = await world.enabled(1, { tid: one });
  const cmp = await comparing(world, 2, { tid: other });
  world.source.execute(...RECORD);
  world.source.kind = "trace";
  world.source.execute(16, 8);
  world.source.kind = "counts";
  world.source.execute(24);
  assert.equal(await records(cmp), [RECORD_WORDS]);
  assert.equal(await pcs.pcs(), [16, 8, 24]);
});

scenario(
  "who wants what is folded gets that, and what targets count, but no trace",
  async (world) => {
    const client = world.open(1);
    await client.initialize(8);
    assert.is(await client.ioctl(ENABLE, FOLD), 0);
    world.source.kind = "folded";
    for (let i = 0; i < 100; i++) world.source.execute(8, 0xffffffff, 16, 0xffffffff);
    world.source.kind = "trace";
    world.source.execute(32);
    world.source.kind = "counts";
    world.source.execute(24);
    const found = [1, 2, 3, 4, 5].map((word) => client.load(word));
    assert.is(await client.load(0), 5n);
    assert.equal(await Promise.all(found), [
      ...[foldedWord(0, 1, 1), foldedWord(1, 2, 100), foldedWord(2, 1, 99)],
      ...[HIGH + 16n, HIGH + 24n],
    ]);
  },
);

scenario("targets that count cannot give comparisons, those with probes can", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  world.source.kind = "counts";
  assert.is(await client.ioctl(ENABLE, 1), ENOTSUPP);
  world.source.kind = "trace";
  assert.is(await client.ioctl(ENABLE, 2), EINVAL);
  assert.is(await client.ioctl(ENABLE, 1), 0);
  const { area: _, ...state } = world.device.instances[0].state as { area: unknown; mode: string };
  assert.is(state.mode, "cmp");
});

scenario("targets write before ENABLE answers, and until after DISABLE", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  let open!: () => void;
  world.source.traceGate = new Promise<void>((resolve) => open = resolve);
  const enabling = client.ioctl(ENABLE);
  await turn();
  assert.equal(world.source.traced, [[{ id: 1, words: WORDS, mode: "pc", scope: "all" }]]);
  assert.not(world.log.includes("stop"), "nobody is stopped before");
  world.source.execute(8);
  open();
  assert.is(await enabling, 0);
  assert.equal(await client.pcs(), [], "what was executed until then is left out");
  await world.untilRest();
  world.source.execute(16);
  const states: (string | undefined)[] = [];
  world.source.onTrace = () => states.push(world.stateOf(1));
  assert.is(await client.ioctl(DISABLE), 0);
  assert.equal([world.source.traced.at(-1), states], [[], ["initialized"]]);
  assert.equal(await client.pcs(), [16]);
});

scenario("an instance that is closed while ENABLE waits is not enabled", async (world) => {
  const client = world.open(1);
  await client.initialize(WORDS);
  let open!: () => void;
  world.source.traceGate = new Promise<void>((resolve) => open = resolve);
  const enabling = client.ioctl(ENABLE);
  await turn();
  client.close();
  open();
  assert.is(await enabling, EIO);
  assert.equal([world.source.traced.at(-1), world.log.includes("stop")], [[], false]);
  const second = world.open(2);
  await second.initialize(WORDS);
  assert.is(await second.ioctl(ENABLE), 0);
});

scenario("an instance that is closed while enabled is traced no more", async (world) => {
  const client = await world.enabled(1);
  assert.is(world.source.traced.at(-1)!.length, 1);
  client.close();
  assert.equal(world.source.traced.at(-1), []);
});

device("disposing has targets write no more", async () => {
  const world = new DeviceWorld();
  await world.enabled(1);
  await world[Symbol.asyncDispose]();
  assert.equal(world.source.traced.at(-1), []);
});

device.run();
