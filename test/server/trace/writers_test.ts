import * as fs from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AreaFile } from "../../../src/kcov/mod.ts";
import { ALL_UNITS } from "../../../src/kcov/coherence/unit.ts";
import { scenarios } from "../../scenarios.ts";
import { deferred, FakeLink, turn } from "../../targets/fake_link.ts";
import { area, TracedWorld } from "../traced_world.ts";
import { targetId } from "../../../src/kcov/ids.ts";

const tracer = suite("tracer");

const OWNER = {};
const DIRECT = area(1, { path: "/shared/area-1" });

const scenario = scenarios(tracer, () => TracedWorld.make());

/** Writes words into a target's buffer, as its probes do. */
function write(file: AreaFile, words: readonly bigint[]): void {
  fs.writeSync(file.fd, new Uint8Array(BigUint64Array.from(words).buffer), 0, 8 * words.length, 0);
}

/** The result of a drain, with numbers. */
function drain({ tracer }: TracedWorld, units = ALL_UNITS) {
  return tracer.drain(units).map((drained) => ({ ...drained, pcs: [...drained.pcs] }));
}

scenario("targets are told of clients' files, and that they are alone in them", async (world) => {
  const { link } = await world.add();
  await world.tracer.trace(OWNER, [DIRECT]);
  const { path } = DIRECT as { path: string };
  const told = { id: path, path, words: 512, takesComparisons: false, isShared: false };
  assert.equal(link.told, [[told]]);
  await world.tracer.trace(OWNER, [DIRECT, area(2, { path: "/shared/b", mode: "cmp" })]);
  assert.equal(link.told[1], [
    told,
    { id: "/shared/b", path: "/shared/b", words: 512, takesComparisons: true, isShared: false },
  ]);
  assert.equal(world.files, [], "they need no buffers");
});

scenario("targets are told which of the clients' files fold", async (world) => {
  const { link } = await world.add();
  const folded = { ...DIRECT, mode: "fold" as const };
  for (const areas of [[DIRECT], [folded]]) await world.tracer.trace(OWNER, areas);
  assert.equal(link.told.map(([{ folds }]) => folds), [undefined, true]);
});

scenario("what changes nothing for a target is not told it", async (world) => {
  const { link } = await world.add();
  await world.tracer.trace(OWNER, [DIRECT]);
  await world.tracer.trace(OWNER, [
    DIRECT,
    area(2, { path: "/b", scope: new Set([2].map(targetId)) }),
  ]);
  await world.tracer.update();
  assert.is(link.told.length, 1);
  await world.tracer.trace(OWNER, []);
  await world.tracer.trace(OWNER, []);
  assert.equal(link.told.slice(1), [[]]);
});

scenario("areas of several owners are written side by side", async (world) => {
  const { link } = await world.add();
  const other = {};
  await world.tracer.trace(OWNER, [DIRECT]);
  await world.tracer.trace(other, [area(1, { path: "/b" })]);
  assert.equal(link.told.at(-1)!.map(({ path }) => path), ["/shared/area-1", "/b"]);
  await world.tracer.trace(OWNER, []);
  assert.equal(link.told.at(-1)!.map(({ path }) => path), ["/b"]);
});

scenario("`trace` resolves when the targets write, and not before", async (world) => {
  const { link } = await world.add();
  const { promise, resolve } = deferred<void>();
  link.onTrace = () => promise;
  let isDone = false;
  const tracing = world.tracer.trace(OWNER, [DIRECT]).then(() => isDone = true);
  const again = world.tracer.trace({}, []).then(() => assert.ok(isDone, "nor does another"));
  await turn();
  assert.not(isDone);
  resolve();
  await Promise.all([tracing, again]);
});

tracer("a target that does not answer, or cannot, is warned of and left out", async () => {
  await using world = await TracedWorld.make({ collectTimeout: 1 });
  const { link } = await world.add();
  link.onTrace = () => new Promise(() => {});
  await world.tracer.trace(OWNER, [DIRECT]);
  link.onTrace = () => Promise.reject(new Error("there is no such file"));
  await world.tracer.trace(OWNER, []);
  assert.equal(world.warnings, [
    "Target api (pid 7): cannot write what it executes: no answer within 1 ms",
    "Target api (pid 7): cannot write what it executes: there is no such file",
  ]);
});

scenario("a target that goes while it is told is nothing to warn of", async (world) => {
  const { link } = await world.add();
  const { promise, reject } = deferred<void>();
  link.onTrace = () => promise;
  const tracing = world.tracer.trace(OWNER, [DIRECT]);
  link.close("exited");
  await turn();
  reject(new Error("exited"));
  await tracing;
  assert.equal(world.warnings, []);
});

scenario("targets that count are left alone", async (world) => {
  const link = new FakeLink();
  const info = { name: "counting", pid: 8, runtime: "node" };
  const target = world.registry.add(link, info);
  assert.is(world.tracer.join(target), undefined);
  await world.tracer.trace(OWNER, [DIRECT]);
  assert.equal([world.tracer.welcome(target), drain(world)], [[], []]);
});

scenario("what has not been welcomed is told by its welcome alone", async (world) => {
  const { link, target } = await world.add({ isWelcome: false });
  await world.tracer.trace(OWNER, [DIRECT]);
  assert.equal(link.told, []);
  assert.equal(world.tracer.welcome(target).map(({ path }) => path), ["/shared/area-1"]);
  await world.tracer.update();
  assert.equal(link.told, []);
});

scenario("a second target may start when the first knows that it is not alone", async (world) => {
  const { link: first } = await world.add();
  await world.tracer.trace(OWNER, [DIRECT]);
  const { promise, resolve } = deferred<void>();
  first.onTrace = () => promise;
  let isIn = false;
  const adding = world.add().then((added) => {
    isIn = true;
    return added;
  });
  await turn();
  assert.equal([isIn, first.told.at(-1)![0].isShared], [false, true]);
  resolve();
  const second = await adding;
  assert.is(second.areas[0].isShared, true);
  second.link.close("exited");
  await turn();
  await world.tracer.update();
  assert.is(first.told.at(-1)![0].isShared, false, "alone again");
});

scenario("targets are told how they take turns where they share an area", async (world) => {
  const { link } = await world.add();
  await world.tracer.trace(OWNER, [area(1, { path: "/a", turns: "/turns" })]);
  assert.is(link.told.at(-1)![0].turns, undefined, "it is alone");
  const second = await world.add();
  assert.equal([link.told.at(-1)![0].turns, second.areas[0].turns], ["/turns", "/turns"]);
});

scenario("a second target need not wait where they share nothing", async (world) => {
  await world.add();
  const next = world.registry.add(new FakeLink(), {
    ...{ name: "b", pid: 9, runtime: "node", collector: "trace" },
  });
  assert.is(world.tracer.join(next), undefined, "nothing is enabled");
  await world.tracer.trace(OWNER, [area(1, { path: "/b", scope: new Set([3].map(targetId)) })]);
  const third = await world.add();
  assert.equal(third.areas.map(({ isShared }) => isShared), [false]);
});

scenario("where areas are no files a target has a buffer for each mode", async (world) => {
  const { link } = await world.add();
  await world.tracer.trace(OWNER, [area(1), area(2, { words: 64 }), area(3, { mode: "cmp" })]);
  const [pcs, records] = world.files;
  const common = { words: 512, isShared: false };
  assert.equal(link.told, [[
    { ...common, id: "pc 512", path: pcs.path, takesComparisons: false },
    { ...common, id: "cmp 512", path: records.path, takesComparisons: true },
  ]]);
  const second = await world.add();
  assert.not(second.areas.some(({ path }) => path === pcs.path), "of its own");
});

scenario(
  "what folds has a buffer of its own, which does not take from PCs their order",
  async (world) => {
    const { target, link } = await world.add();
    await world.tracer.trace(OWNER, [area(1), area(2, { words: 64, mode: "fold" })]);
    const [pcs, folded] = world.files;
    const common = { takesComparisons: false, isShared: false };
    assert.equal(link.told, [[
      { ...common, id: "pc 512", path: pcs.path, words: 512 },
      { ...common, id: "fold 64", path: folded.path, words: 64, folds: true },
    ]]);
    write(folded, [2n, 0x0500000_10000002n, 0xffffffff_80000010n]);
    await world.registry.stop({ run: 0, units: { only: [target.unit] } });
    const halves = [0x10000002, 0x0500000, 0x80000010, 0xffffffff];
    assert.equal(drain(world), [{ target: target.id, kind: "folded", pcs: halves }]);
  },
);

scenario("a buffer is as large as the largest of its areas ever was", async (world) => {
  const { link } = await world.add();
  const told = () => link.told.at(-1)!.map(({ id, words }) => [id, words]);
  await world.tracer.trace(OWNER, [area(1)]);
  await world.tracer.trace(OWNER, [area(1), area(2, { words: 4096 })]);
  assert.equal(told(), [["pc 4096", 4096]]);
  await world.tracer.trace(OWNER, [area(1)]);
  assert.equal([told(), world.files.length], [[["pc 4096", 4096]], 1]);
});

scenario("what targets have written is taken while they are held", async (world) => {
  const { target } = await world.add();
  const other = await world.add();
  await world.tracer.trace(OWNER, [area(1), area(2, { mode: "cmp" })]);
  write(world.files[0], [2n, 0xffffffff_80000008n, 0xffffffff_80000010n]);
  write(world.files[1], [1n, 5n, 7n, 9n, 0xffffffff_80000008n]);
  assert.equal(drain(world), [], "they run");
  await world.registry.stop({ run: 0, units: { only: [target.unit] } });
  assert.equal(drain(world, { only: [other.target.unit] }), []);
  const records = [5, 0, 7, 0, 9, 0, 0x80000008, 0xffffffff];
  assert.equal(drain(world), [
    { target: target.id, kind: "trace", pcs: [0x80000008, 0x80000010] },
    { target: target.id, kind: "comparisons", pcs: records },
  ]);
  assert.equal(drain(world), []);
});

scenario("what an ended target has written is taken once, and its file goes", async (world) => {
  const { target, link } = await world.add();
  await world.tracer.trace(OWNER, [area(1)]);
  write(world.files[0], [1n, 0xffffffff_80000008n]);
  link.close("exited");
  await turn();
  await world.tracer.update();
  assert.equal(drain(world), [{ target: target.id, kind: "trace", pcs: [0x80000008] }]);
  assert.equal([drain(world), world.files], [[], []]);
});

scenario("of ended targets nothing is kept that nobody can ask for", async (world) => {
  const [one, other] = [await world.add(), await world.add()];
  await world.tracer.trace(OWNER, [area(1, { scope: new Set([one.target.id].map(targetId)) })]);
  for (const { link } of [one, other]) link.close("exited");
  await turn();
  await world.tracer.update();
  assert.equal(world.files.length, 1);
  assert.equal(world.tracer.welcome(other.target), [], "it had no buffer");
  await world.tracer.trace(OWNER, []);
  assert.equal(world.files, []);
});

scenario("a target without memory for its buffer is warned of and left out", async (world) => {
  const { link } = await world.add();
  world.failure = new Error("no space left");
  await world.tracer.trace(OWNER, [area(1)]);
  assert.equal(link.told, []);
  const second = await world.add();
  assert.equal(second.areas, []);
  assert.is(world.warnings[0], "Target api (pid 7): cannot write what it executes: no space left");
  world.failure = undefined;
  await world.tracer.trace(OWNER, [area(1), area(2)]);
  assert.equal(link.told.map((areas) => areas.map(({ id }) => id)), [["pc 512"]]);
});

scenario("comparisons can be had when a target in a scope has probes", async (world) => {
  assert.ok(world.tracer.canCompare("all"), "nobody is there who cannot give them");
  const { target } = await world.add();
  const link = new FakeLink();
  const counting = world.registry.add(link, { name: "b", pid: 8, runtime: "node" });
  assert.ok(world.tracer.canCompare("all"));
  assert.ok(world.tracer.canCompare(new Set([target.id, counting.id].map(targetId))));
  assert.not(world.tracer.canCompare(new Set([counting.id].map(targetId))));
  link.close("exited");
  await turn();
  assert.ok(world.tracer.canCompare("all"));
});

scenario("who has no probes keeps areas from being files, until it is detached", async (world) => {
  const { target } = await world.add();
  assert.ok(world.tracer.canWrite("all"));
  const links = [new FakeLink(), new FakeLink()];
  const [one, other] = links.map((link, i) => {
    const counted = world.registry.add(link, { name: `c${i}`, pid: 8, runtime: "node" });
    assert.is(world.tracer.join(counted), undefined);
    return counted;
  });
  assert.not(world.tracer.canWrite("all"));
  assert.ok(world.tracer.canWrite(new Set([target.id].map(targetId))));
  assert.not(world.tracer.canWrite(new Set([target.id, one.id].map(targetId))));
  links[0].close("detached");
  links[1].close("exited");
  await turn();
  assert.ok(world.tracer.canWrite(new Set([one.id].map(targetId))));
  assert.not(world.tracer.canWrite(new Set([other.id].map(targetId))), "it may come back");
  assert.not(world.tracer.canWrite("all"));
});

scenario(
  "a target is to be held while it fills a buffer, and not before or after",
  async (world) => {
    const { target } = await world.add();
    assert.ok(target.isFree);
    await world.tracer.trace(OWNER, [DIRECT]);
    assert.ok(target.isFree);
    await world.tracer.trace({}, [area(2)]);
    assert.not(target.isFree);
    await world.tracer.trace(OWNER, []);
    assert.not(target.isFree);
  },
);

scenario("one that cannot be held fills no buffer, which is said once", async (world) => {
  const { target, link } = await world.add({ unheld: "no inspector" });
  await world.tracer.trace(OWNER, [DIRECT]);
  assert.is(world.tracer.whyUnseen(target), undefined);
  const other = {};
  for (const areas of [[area(2)], [area(2), area(3)]]) await world.tracer.trace(other, areas);
  assert.equal(link.told.length, 1, "nothing has changed for it");
  const reason = "instances that hold targets do not see it: no inspector";
  assert.is(world.tracer.whyUnseen(target), reason);
  assert.equal(world.warnings, [`Target api (pid 7): ${reason}`]);
  await world.tracer.trace(other, []);
  assert.is(world.tracer.whyUnseen(target), undefined);
});

tracer.run();
