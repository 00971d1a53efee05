/** Areas that fold when they are full: what a client finds there has the counts of all that was hit. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TracedArea } from "../../src/messages/protocol.ts";
import { edgeCounts, foldedWord, pcWord } from "../folding/edge_counts.ts";
import { AreasWorld, Isolate } from "./areas_world.ts";

const folding = suite("agent/folding");

/** A block's PC as isolates have it: its lower half. */
const pc = (block: number) => (0x80000000 + 8 * block) | 0;
const trace = (blocks: readonly number[]) => blocks.map(pcWord);

function scenario(
  sentence: string,
  run: (world: AreasWorld, isolate: Isolate) => unknown,
  options: { mayStop?: boolean } = {},
): void {
  folding(sentence, async () => {
    await using world = await AreasWorld.make();
    await using isolate = await Isolate.start(options);
    await run(world, isolate);
    await isolate.areas.set([]);
    assert.equal(world.held, { mapped: 0, open: 0 }, "nothing is left");
  });
}

/** An area that folds, of so many words. */
function areaOf(world: AreasWorld, words: number, more: Partial<TracedArea> = {}): TracedArea {
  return world.area(words, { folds: true, ...more });
}

/** The words that a client finds. */
function found(world: AreasWorld, area: TracedArea): bigint[] {
  const [count] = world.words(area, 1);
  return world.words(area, Number(count), 1);
}

scenario("until it is full, its words are PCs", async (world, isolate) => {
  const area = areaOf(world, 8);
  await isolate.areas.set([area]);
  assert.equal(isolate.words, { limit: 8, more: 1, comparisons: 0 });
  await isolate.hit(...[1, 2, 1, 2, 1, 2, 1].map(pc));
  assert.equal(found(world, area), trace([1, 2, 1, 2, 1, 2, 1]));
});

scenario("the next hit folds it, and comes after the last PC", async (world, isolate) => {
  const area = areaOf(world, 8);
  await isolate.areas.set([area]);
  await isolate.hit(...[1, 2, 1, 2, 1, 2, 1, 3].map(pc));
  assert.equal(found(world, area), [
    ...[foldedWord(0, 1, 1), foldedWord(1, 2, 3), foldedWord(2, 1, 3)],
    ...trace([1, 3]),
  ]);
});

for (const words of [8, 64, 512, (1 << 20) + 100]) {
  scenario(
    `what comes after long loops is in an area of ${words} words`,
    async (world, isolate) => {
      const area = areaOf(world, words);
      await isolate.areas.set([area]);
      // More often than it has words, and more than a count's end.
      await isolate.repeat([1, 2].map(pc), Math.max(words, 300));
      await isolate.hit(pc(3));
      assert.equal(edgeCounts(found(world, area)), {
        ...{ "1": 1, "10000002": 254, "20000001": 254, "20000003": 1 },
      });
    },
  );
}

scenario("an area beside others is folded, and the others are as ever", async (world, isolate) => {
  const plain = [world.area(4096), world.area(4)];
  const folded = [areaOf(world, 16), areaOf(world, 4096)];
  await isolate.areas.set([plain[0], folded[0], plain[1], folded[1]]);
  const blocks = Array.from({ length: 1000 }, (_, i) => 1 + i % 5);
  await isolate.hit(...blocks.map(pc));
  assert.equal(found(world, plain[0]), trace(blocks));
  assert.equal(found(world, plain[1]), trace(blocks.slice(0, 3)));
  assert.equal(edgeCounts(found(world, folded[0])), edgeCounts(trace(blocks)));
  assert.equal(found(world, folded[1]), trace(blocks));
});

scenario("with too many edges it is full until the client resets it", async (world, isolate) => {
  const area = areaOf(world, 65);
  await isolate.areas.set([area]);
  const many = Array.from({ length: 64 }, (_, i) => i + 1);
  for (let time = 0; time < 3; time++) {
    await isolate.hit(...[...many, 1, 2].map(pc));
    assert.is(world.words(area, 1)[0], 64n);
    const words = found(world, area);
    assert.equal(words.slice(0, -1), trace(many.slice(0, -1)), "none was folded");
    assert.is(words.at(-1), foldedWord(63, 64, 1), "it says that it is full");
    assert.equal(edgeCounts(words), edgeCounts(trace(many)));
    world.write(area, 0, 0n);
  }
  await isolate.repeat([1, 2].map(pc), 100);
  const loop = Array.from({ length: 100 }, () => [1, 2]).flat();
  assert.equal(edgeCounts(found(world, area)), edgeCounts(trace(loop)), "it folds again");
});

for (const words of [2, 3, 4]) {
  scenario(`an area of ${words} words is never more than full`, async (world, isolate) => {
    const area = areaOf(world, words);
    await isolate.areas.set([area]);
    await isolate.repeat([pc(1)], 300);
    assert.ok(found(world, area).length < words);
    const counts = edgeCounts(found(world, area));
    assert.is(counts["1"], 1);
    assert.equal(Object.keys(counts).filter((edge) => !["1", "10000001"].includes(edge)), []);
  });
}

scenario(
  "a count that the client has set beyond its end is a full area",
  async (world, isolate) => {
    const area = areaOf(world, 8);
    await isolate.areas.set([area]);
    await isolate.repeat([pc(1)], 7);
    for (const count of [8n, 1000n, (1n << 31n) - 2n]) {
      world.write(area, 0, count);
      await isolate.hit(pc(2));
      assert.is(world.words(area, 1)[0], count);
    }
  },
);

scenario("while others write into it, it is full as any other", async (world, isolate) => {
  const area = areaOf(world, 8, { isShared: true });
  await isolate.areas.set([area]);
  await isolate.repeat([pc(1)], 20);
  assert.equal(found(world, area), trace([1, 1, 1, 1, 1, 1, 1]));
  await isolate.areas.set([{ ...area, isShared: false }]);
  await isolate.hit(pc(2));
  assert.equal(found(world, area), [
    ...[foldedWord(0, 1, 1), foldedWord(1, 1, 6)],
    ...trace([1, 2]),
  ]);
});

/** Of a folding of 255 words, which calls `Math.imul` twice for each, and `compareExchange` at its end. */
const PLACES = [1, 2, 3, 100, 101, 509, 510, 511, 512];
const OLD = Array.from({ length: 255 }, (_, i) => 1 + i % 8);

scenario(
  "a reset at whatever moment of folding is not undone, and no hit after it is lost",
  async (world, isolate) => {
    const area = areaOf(world, 256);
    await isolate.areas.set([area]);
    let standing = 0;
    for (const place of PLACES) {
      world.write(area, 0, 0n);
      await isolate.hit(...OLD.map(pc));
      const goOn = await isolate.stopAt(place, pc(100));
      standing++;
      world.write(area, 0, 0n);
      await goOn();
      await isolate.hit(...[101, 102].map(pc));
      assert.equal(found(world, area), trace([100, 101, 102]), `at place ${place}`);
    }
    assert.is(standing, PLACES.length);
  },
  { mayStop: true },
);

scenario(
  "who reads while the isolate stands still in folding finds all edges, and only those taken",
  async (world, isolate) => {
    const area = areaOf(world, 256);
    await isolate.areas.set([area]);
    const taken = edgeCounts(trace(OLD));
    for (const place of PLACES) {
      world.write(area, 0, 0n);
      await isolate.hit(...OLD.map(pc));
      const goOn = await isolate.stopAt(place, pc(100));
      const seen = edgeCounts(found(world, area));
      await goOn();
      assert.equal(Object.keys(seen), Object.keys(taken), `at place ${place}`);
      for (const [edge, hits] of Object.entries(seen)) {
        assert.ok(hits >= taken[edge] && hits <= 2 * taken[edge], `${hits} of ${taken[edge]}`);
      }
      assert.equal(edgeCounts(found(world, area)), edgeCounts(trace([...OLD, 100])));
    }
  },
  { mayStop: true },
);

scenario(
  "areas change while one is folded, and the hit comes where it is still wanted",
  async (world, isolate) => {
    for (const place of PLACES) {
      const [area, other] = [areaOf(world, 256), areaOf(world, 256)];
      await isolate.areas.set([area]);
      await isolate.hit(...OLD.map(pc));
      const goOn = await isolate.stopAt(place, pc(100));
      const set = isolate.areas.set(place % 2 ? [other] : [other, area]);
      await goOn();
      await set;
      await isolate.hit(pc(101));
      assert.equal(found(world, other), trace([101]), `at place ${place}`);
      const counts = edgeCounts(found(world, area));
      const all = place % 2 ? [OLD, [...OLD, 100]] : [[...OLD, 100, 101]];
      assert.ok(
        all.some((blocks) => JSON.stringify(edgeCounts(trace(blocks))) === JSON.stringify(counts)),
      );
    }
  },
  { mayStop: true },
);

scenario("scripts that are ended while it is folded leave it whole", async (world, isolate) => {
  const area = areaOf(world, 4096);
  await isolate.areas.set([area]);
  const ring = new Set(Object.keys(edgeCounts(trace([0, 1, 2, 3, 4, 5, 6, 7, 0]))));
  let ended = 0;
  // That it is full then says that it was about to be folded.
  for (let round = 0; round < 30 || ended < 3; round++) {
    world.write(area, 0, 0n);
    await isolate.timeOut(1, { isRound: true });
    if (found(world, area).length === area.words - 1) ended++;
    const edges = Object.keys(edgeCounts(found(world, area)));
    assert.equal(edges.filter((edge) => !ring.has(edge)), [], "it has no edge that was not taken");
    await isolate.repeat([2, 3].map(pc), 5000);
    await isolate.hit(pc(9));
    const counts = edgeCounts(found(world, area));
    assert.is(counts["20000003"], 254, "the loop after it was folded");
    assert.is(counts["30000009"], 1, "and what comes then is there");
  }
});

folding.run();
