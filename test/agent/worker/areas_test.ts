/** The areas that probes write into, and changes of them. */
import * as fs from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AREA, AREAS_SIZE, CONTROL } from "../../../src/messages/shared_words.ts";
import { AreasWorld, Isolate } from "../areas_world.ts";

const areas = suite("agent/worker/areas");

const HIGH = 0xffffffff00000000n;
const NONE = { mapped: 0, open: 0 };

function scenario(
  sentence: string,
  run: (world: AreasWorld, isolate: Isolate) => unknown,
): void {
  areas(sentence, async () => {
    await using world = await AreasWorld.make();
    await using isolate = await Isolate.start();
    await run(world, isolate);
    await isolate.areas.set([]);
    assert.equal(world.held, NONE, "nothing is left");
  });
}

/** Whether this process has memory at an address. */
function isMapped(address: bigint): boolean {
  return fs.readFileSync("/proc/self/maps", "utf8").split("\n").some((line) => {
    const [from, to] = line.split(" ")[0].split("-").map((text) => BigInt(`0x${text || 0}`));
    return from <= address && address < (to ?? 0n);
  });
}

scenario("without areas hits go nowhere", async (_, isolate) => {
  await isolate.hit(8, 16);
  assert.equal(isolate.words, { limit: 0, more: 0, comparisons: 0 });
});

scenario("an area of the isolate's own is in its window", async (world, isolate) => {
  const area = world.area(512);
  await isolate.areas.set([area]);
  assert.equal(isolate.words, { limit: 512, more: 0, comparisons: 0 });
  assert.equal(world.held, { mapped: 2, open: 1 });
  await isolate.hit(-8, 16, 16);
  assert.equal(world.words(area, 5), [3n, HIGH + 0xfffffff8n, HIGH + 16n, HIGH + 16n, 0n]);
});

for (const isShared of [false, true]) {
  const whose = isShared ? "that others write" : "of its own";
  scenario(`an area ${whose} is full one short of its words`, async (world, isolate) => {
    const area = world.area(4, { isShared });
    await isolate.areas.set([area]);
    await isolate.hit(8, 16, 24, 32, 40);
    assert.equal(world.words(area, 5), [3n, HIGH + 8n, HIGH + 16n, HIGH + 24n, 0n]);
  });

  scenario(
    `in an area ${whose} the client's reset is the next hit's start`,
    async (world, isolate) => {
      const area = world.area(512, { isShared });
      await isolate.areas.set([area]);
      await isolate.hit(8, 16);
      world.write(area, 0, 0n);
      await isolate.hit(24);
      assert.equal(world.words(area, 3), [1n, HIGH + 24n, HIGH + 16n]);
    },
  );
}

scenario("an area is written beyond the window, too", async (world, isolate) => {
  const inWindow = isolate.windowSize / 8;
  const area = world.area(inWindow + 3);
  await isolate.areas.set([area]);
  assert.equal(isolate.words, { limit: inWindow, more: 1, comparisons: 0 });
  world.write(area, 0, BigInt(inWindow - 3));
  await isolate.hit(1, 2, 3, 4, 5, 6, 7);
  assert.equal(world.words(area, 1), [BigInt(inWindow + 2)]);
  const last = world.words(area, 5, inWindow - 2);
  assert.equal(last.map((pc) => pc - HIGH), [1n, 2n, 3n, 4n, 5n]);
});

scenario("several areas each have every hit", async (world, isolate) => {
  const all = [world.area(512), world.area(4), world.area(512, { isShared: true })];
  await isolate.areas.set(all);
  assert.equal(isolate.words, { limit: 0, more: 1, comparisons: 0 });
  await isolate.hit(8, 16, 24, 32);
  assert.equal(all.map((area) => world.hits(area)), [
    [8, 16, 24, 32],
    [8, 16, 24],
    [8, 16, 24, 32],
  ]);
});

areas("isolates that write one area at once lose nothing", async () => {
  await using world = await AreasWorld.make();
  await using one = await Isolate.start();
  await using other = await Isolate.start();
  const area = world.area(1 << 17, { isShared: true });
  for (const isolate of [one, other]) await isolate.areas.set([area]);
  const numbers = (from: number) => Array.from({ length: 50_000 }, (_, i) => from + i);
  await Promise.all([one.hit(...numbers(0)), other.hit(...numbers(1 << 20))]);
  const hits = world.hits(area);
  assert.is(hits.length, 100_000);
  assert.equal(hits.filter((pc) => pc < 1 << 20), numbers(0));
  assert.equal(hits.filter((pc) => pc >= 1 << 20), numbers(1 << 20));
  for (const isolate of [one, other]) await isolate.areas.set([]);
  assert.equal(world.held, NONE);
});

scenario("a comparison is four words, in areas for comparisons alone", async (world, isolate) => {
  const pcs = world.area(512);
  const records = world.area(512, { takesComparisons: true });
  await isolate.areas.set([pcs, records]);
  assert.equal(isolate.words, { limit: 512, more: 0, comparisons: 1 });
  await isolate.hit(8);
  await isolate.compare([-8, 7, 1, 2, 3, 0xffffffff], [16, 0, 5, 0, 6, 0]);
  assert.equal(world.hits(pcs), [8]);
  assert.equal(world.words(records, 10), [
    2n,
    ...[7n, 2n << 32n | 1n, 0xffffffffn << 32n | 3n, HIGH + 0xfffffff8n],
    ...[0n, 5n, 6n, HIGH + 16n],
    0n,
  ]);
});

for (const [words, most] of [[4, 0], [5, 1], [8, 1], [9, 2]]) {
  scenario(`${words} words hold ${most} comparisons`, async (world, isolate) => {
    const area = world.area(words, { takesComparisons: true });
    await isolate.areas.set([area]);
    for (let i = 0; i < 4; i++) await isolate.compare([8, 1, 2, 0, 3, 0]);
    assert.is(world.words(area, 1)[0], BigInt(most));
  });
}

scenario("areas for comparisons alone cost hits nothing", async (world, isolate) => {
  await isolate.areas.set([world.area(512, { takesComparisons: true })]);
  assert.equal(isolate.words, { limit: 0, more: 0, comparisons: 1 });
  await isolate.areas.set([]);
  assert.equal(isolate.words, { limit: 0, more: 0, comparisons: 0 });
});

scenario("an area is written until it is left out, and not after", async (world, isolate) => {
  const [one, other] = [world.area(512), world.area(512)];
  await isolate.areas.set([one]);
  await isolate.hit(8);
  await isolate.areas.set([other]);
  await isolate.hit(16);
  await isolate.areas.set([]);
  await isolate.hit(24);
  assert.equal([world.hits(one), world.hits(other)], [[8], [16]]);
});

scenario("what stays is not mapped anew, and may come to be shared", async (world, isolate) => {
  const area = world.area(512);
  await isolate.areas.set([area]);
  await isolate.areas.set([{ ...area, isShared: true }]);
  assert.equal([isolate.words.limit, world.held], [0, { mapped: 2, open: 2 }], "with its turns");
  await isolate.hit(8);
  await isolate.areas.set([area]);
  assert.equal([isolate.words.limit, world.held], [512, { mapped: 3, open: 2 }]);
  await isolate.hit(16);
  assert.equal(world.hits(area), [8, 16]);
});

scenario("an area that is made larger is another by its id", async (world, isolate) => {
  const large = world.area(512);
  const small = { ...large, id: "small", words: 3 };
  await isolate.areas.set([small]);
  await isolate.hit(8, 16, 24);
  await isolate.areas.set([large]);
  await isolate.hit(32);
  assert.equal([world.hits(large), world.held.open], [[8, 16, 32], 1]);
});

scenario(
  "a running isolate loses no hit to what stays, whatever changes",
  async (world, isolate) => {
    const large = 1 << 22;
    const staying = world.area(large, { id: "staying" });
    await isolate.areas.set([staying]);
    const stop = await isolate.loop();
    for (let i = 0; i < 10; i++) {
      await isolate.goOn();
      await isolate.areas.set([staying, world.area(512)]);
      await isolate.goOn();
      await isolate.areas.set([{ ...staying, isShared: true }]);
      await isolate.goOn();
      await isolate.areas.set([staying]);
    }
    await isolate.areas.set([]);
    const hits = world.hits(staying);
    await isolate.goOn();
    assert.is(world.hits(staying).length, hits.length, "nothing comes after");
    await stop();
    assert.ok(hits.length > 30_000 && hits.length < large - 1, `${hits.length} hits`);
    const gap = hits.findIndex((pc, i) => i > 0 && pc !== hits[i - 1] + 1);
    assert.is(gap, -1);
  },
);

scenario("an area stays mapped while a hit by the table is under way", async (world, isolate) => {
  const shared = world.area(512, { isShared: true });
  await isolate.areas.set([shared]);
  const address = isolate.firstAddress;
  Atomics.store(isolate.control, CONTROL.busy, 1);
  let isDone = false;
  const setting = isolate.areas.set([]).then(() => isDone = true);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal([isDone, isMapped(address)], [false, true]);
  Atomics.store(isolate.control, CONTROL.busy, 0);
  await setting;
  assert.equal([isMapped(address), world.held], [false, NONE]);
});

scenario(
  "changes follow each other, also when they are asked for at once",
  async (world, isolate) => {
    const all = Array.from({ length: 5 }, () => world.area(512));
    await Promise.all(all.map((area) => isolate.areas.set([area])));
    await isolate.hit(8);
    assert.equal(all.map((area) => world.hits(area)), [[], [], [], [], [8]]);
    assert.is(world.held.open, 1);
  },
);

scenario("an area that cannot be opened changes nothing", async (world, isolate) => {
  const area = world.area(512);
  await isolate.areas.set([area]);
  const gone = { ...area, id: "gone", path: `${world.folder}/gone` };
  const error = await isolate.areas.set([area, world.area(512), gone]).catch((error) => error);
  assert.match(error.message, /ENOENT/);
  await isolate.hit(8);
  assert.equal([world.hits(area), world.held], [[8], { mapped: 2, open: 1 }]);
  await isolate.areas.set([area]);
  await isolate.hit(16);
  assert.equal(world.hits(area), [8, 16], "the next change is made");
});

scenario("more areas than there is room for are refused", async (world, isolate) => {
  const area = world.area(512);
  const most = Math.floor((AREAS_SIZE - 1) / AREA.size);
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...area, id: `${i}` }));
  const error = await isolate.areas.set(many(most + 1)).catch((error) => error);
  assert.is(error.message, "too many areas at a time");
  await isolate.areas.set(many(most));
  await isolate.hit(8);
  assert.is(world.words(area, 1)[0], BigInt(most), "each is written");
});

areas("what an isolate wrote that is gone can be let go of", async () => {
  await using world = await AreasWorld.make();
  const isolate = await Isolate.start();
  const area = world.area(512);
  await isolate.areas.set([area]);
  await isolate.hit(8);
  await isolate[Symbol.asyncDispose]();
  await isolate.areas.set([]);
  assert.equal([world.hits(area), world.held], [[8], NONE]);
});

areas.run();
