/** Isolates that write into one area. Whatever happens to one of them, clients read all that was written. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TracedArea } from "../../src/messages/protocol.ts";
import { Turns } from "../../src/messages/turns.ts";
import { mapShared, unmap } from "../../src/base/system_calls.ts";
import { AreasWorld, Isolate } from "./areas_world.ts";

const turns = suite("agent/turns");

/** A program that ends in its turn. */
const DIES = fileURLToPath(new URL("./dies_in_turn.js", import.meta.url));
/** A value of the 19 bits that count turns. */
const SOME_TURN = 5;
/** The places before and after a hit's two atomic steps: it takes its turn, and it raises the count. */
const PLACES = [1, 2, 3, 4];

interface Shared {
  readonly world: AreasWorld;
  readonly area: TracedArea;
  /** The isolate that may be stopped, and another. */
  readonly one: Isolate;
  readonly other: Isolate;
}

/** A file as a client maps it. */
function map(path: string, bytes: number): { halves: Int32Array; end: () => void } {
  const fd = fs.openSync(path, "r+");
  const { address, memory } = mapShared(fd, bytes);
  const end = () => {
    unmap(address, bytes);
    fs.closeSync(fd);
  };
  return { halves: new Int32Array(memory), end };
}

function scenario(sentence: string, run: (shared: Shared) => unknown): void {
  turns(sentence, async () => {
    await using world = await AreasWorld.make();
    await using one = await Isolate.start({ mayStop: true });
    await using other = await Isolate.start();
    const area = world.area(512, { isShared: true });
    for (const isolate of [one, other]) await isolate.areas.set([area]);
    await run({ world, area, one, other });
    assert.is(world.turn(area), 0, "it is nobody's turn");
    for (const isolate of [one, other]) await isolate.areas.set([]);
    assert.equal(world.held, { mapped: 0, open: 0 });
  });
}

scenario(
  "a writer that stands still wherever shows a client no word of before",
  async ({ world, area, one, other }) => {
    await other.hit(1, 2, 3);
    for (const place of PLACES) {
      world.write(area, 0, 0n);
      const goOn = await one.stopAt(place, 8);
      const seen = world.hits(area);
      await goOn();
      assert.equal(seen, place < 4 ? [] : [8], `at place ${place}`);
      assert.equal(world.hits(area), [8]);
    }
  },
);

scenario(
  "a client's reset at whatever moment of a hit is not undone, nor is the hit lost after it",
  async ({ world, area, one, other }) => {
    for (const place of PLACES) {
      world.write(area, 0, 0n);
      await other.hit(1, 2, 3);
      const goOn = await one.stopAt(place, 8);
      world.write(area, 0, 0n);
      await goOn();
      assert.equal(world.hits(area), place < 4 ? [8] : [], `at place ${place}`);
    }
  },
);

scenario(
  "others wait a while for one that stands still in its turn, and then go on",
  async ({ world, area, one, other }) => {
    for (const place of PLACES) {
      world.write(area, 0, 0n);
      const goOn = await one.stopAt(place, 8);
      await other.hit(16, 24);
      assert.equal(world.hits(area).filter((pc) => pc !== 8), [16, 24], `at place ${place}`);
      assert.is(world.turn(area), 0);
      await goOn();
      assert.equal(world.hits(area).toSorted((a, b) => a - b), [8, 16, 24], "it loses nothing");
      await other.hit(32);
      assert.is(world.hits(area).length, 4);
    }
  },
);

scenario(
  "one that is killed in its turn is not waited for",
  async ({ world, area, one, other }) => {
    const { status, signal, stderr } = spawnSync(process.execPath, [DIES, area.turns!], {
      encoding: "utf8",
    });
    assert.equal([status, signal, stderr], [null, "SIGKILL", ""]);
    assert.ok(world.turn(area) !== 0);
    await assertQuick(() => one.hit(8));
    await other.hit(8);
    assert.equal(world.hits(area), [8, 8]);
  },
);

/** Less than the time for which a writer that has stopped is waited for; no other writer is waited for. */
async function assertQuick(run: () => Promise<void>): Promise<void> {
  const before = performance.now();
  await run();
  assert.ok(performance.now() - before < 1000, "nobody was waited for");
}

turns("who writes has a number of its own, which another has once it is gone", async () => {
  await using world = await AreasWorld.make();
  const path = world.area(512).turns!;
  const all = [1, 2, 3].map(() => new Turns(path));
  assert.equal(all.map(({ writer }) => writer), [1, 2, 3]);
  all[1][Symbol.dispose]();
  const again = new Turns(path);
  assert.is(again.writer, 2);
  for (const one of [all[0], all[2], again]) one[Symbol.dispose]();
});

turns("a writer is not waited for that has the number of one that ended in its turn", async () => {
  await using world = await AreasWorld.make();
  const area = world.area(512);
  const { halves: word, end } = map(area.turns!, 4096);
  for (const [writer, left] of [[1, 0], [2, 2 << 19 | SOME_TURN]]) {
    word[0] = writer << 19 | SOME_TURN;
    using one = new Turns(area.turns!);
    assert.equal([one.writer, word[0]], [1, left]);
  }
  end();
});

turns("code whose time is up in a hit has nobody wait, neither hits nor a change", async () => {
  await using world = await AreasWorld.make();
  await using isolate = await Isolate.start();
  const area = world.area(1 << 16, { isShared: true });
  await isolate.areas.set([area]);
  let leftInTurn = 0;
  for (let round = 0; round < 100; round++) {
    await isolate.timeOut(1);
    if (world.turn(area) !== 0) leftInTurn++;
    world.write(area, 0, 0n);
    await assertQuick(() => isolate.hit(8));
    assert.equal([world.hits(area), world.turn(area)], [[8], 0]);
  }
  assert.ok(leftInTurn > 0, "it happens");
  for (const areas of [[world.area(512, { isShared: true }), area], [area], []]) {
    await isolate.areas.set(areas);
    await isolate.timeOut(10);
  }
  assert.equal(world.held, { mapped: 0, open: 0 });
  assert.ok(world.hits(area).length > 1);
});

turns("a thread that is ended in a hit is not waited for", async () => {
  await using world = await AreasWorld.make();
  await using other = await Isolate.start();
  const area = world.area(1 << 20, { isShared: true });
  await other.areas.set([area]);
  for (let round = 0; round < 20; round++) {
    const isolate = await Isolate.start();
    await isolate.areas.set([area]);
    await isolate.loop();
    await isolate[Symbol.asyncDispose]();
    await isolate.areas.set([]);
    world.write(area, 0, 0n);
    await assertQuick(() => other.hit(8));
    assert.equal([world.hits(area), world.turn(area)], [[8], 0]);
  }
  await other.areas.set([]);
});

/** A writer that runs while a client reads by plain loads. */
turns("what is counted of an area of one writer is written, while it runs", async () => {
  await using world = await AreasWorld.make();
  await using isolate = await Isolate.start();
  const area = world.area(1 << 20);
  await isolate.areas.set([area]);
  const { halves, end } = map(area.path, area.words * 8);
  const stop = await isolate.loop();
  let unwritten = 0;
  for (let seen = 0; seen < 1 << 19;) {
    const count = halves[0];
    if (count === seen) continue;
    if (halves[2 * count + 1] !== -1) unwritten++;
    seen = count;
  }
  await stop();
  await isolate.areas.set([]);
  end();
  assert.is(unwritten, 0);
});

/** Writers that run while a client reads by plain loads, zeroes what it has read, and resets. */
async function readWhileWritten(words: number): Promise<{ read: number; unwritten: number }> {
  await using world = await AreasWorld.make();
  await using one = await Isolate.start();
  await using other = await Isolate.start();
  const area = { ...world.area(4096, { isShared: true }), words };
  const stops: (() => Promise<void>)[] = [];
  for (const isolate of [one, other]) {
    await isolate.areas.set([area]);
    stops.push(await isolate.loop());
  }
  const { halves, end } = map(area.path, 4096 * 8);
  const found = { read: 0, unwritten: 0 };
  while (found.read < 200_000) {
    const count = halves[0];
    for (let i = 1; i <= count; i++) {
      if (halves[2 * i + 1] !== -1) found.unwritten++;
      halves[2 * i + 1] = 0;
    }
    if (count > 0) halves[0] = 0;
    found.read += count;
  }
  for (const stop of stops) await stop();
  const beyond = halves.subarray(2 * words).some((half) => half !== 0);
  assert.is(beyond, false, "nothing is beyond the area");
  for (const isolate of [one, other]) await isolate.areas.set([]);
  end();
  return found;
}

for (const words of [8, 4096]) {
  turns(
    `what is counted of ${words} words is written, while writers run and a client resets`,
    async () => {
      const { unwritten } = await readWhileWritten(words);
      assert.is(unwritten, 0);
    },
  );
}

turns.run();
