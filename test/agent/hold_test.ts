import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { pairsOf } from "../rounds.ts";
import { scenarios } from "../scenarios.ts";
import { NODES } from "../blocks/v8_answers.ts";
import { until } from "../until.ts";
import { AgentWorld, calls, type Counting, reportsOf } from "./agent_world.ts";

const hold = suite("agent, holding a target");

const FILE = "/hold_target.cjs";
const WAYS = [
  "in turns of the event loop",
  "in a loop",
  "in a loop of microtasks",
  "in short `Atomics.wait`s",
  "with all that the agent might use replaced",
];

const scenario = scenarios(hold, () => AgentWorld.listening());

/** Stops until the hold is complete, as `Target` does; returns the calls of the target's function. */
async function stop(link: AgentLink): Promise<number> {
  for (let ticks = 0;;) {
    const { coverage, held } = await link.stop({ run: 0, hold: true });
    ticks += calls(reportsOf(coverage), FILE, "tick");
    if (held) return ticks;
  }
}

/** Nothing runs: neither the file's count nor V8's has grown. */
async function assertStill({ link, count }: Counting): Promise<void> {
  const before = count();
  for (let i = 0; i < 20; i++) assert.is(await stop(link), 0, "calls within the hold");
  assert.is(count(), before);
}

const PLACES = [["", false], ["a worker thread of ", true]] as const;
const RUNTIMES = PLACES.flatMap(([place, isThread]) =>
  NODES.map(({ v8, path: node }) => ({ who: `${place}V8 ${v8}`, node, isThread }))
);

for (const [{ v8, path: node }, way, [place, isThread]] of pairsOf(NODES, WAYS, PLACES)) {
  scenario(`${place}V8 ${v8} ${way} is collected from, held and let go`, async (world) => {
    const target = await world.hold(node, way, { isThread });
    let counted = 0;
    for (let i = 0; i < 5; i++) {
      counted += await stop(target.link);
      // It may be held after the call and before it has reported that.
      assert.ok([0, 1].includes(counted - target.count()), "all that has run was collected");
      await assertStill(target);
      const before = target.count();
      target.link.release();
      await until(() => target.count() > before);
    }
  });
}

for (const { who, node, isThread } of RUNTIMES) {
  scenario(
    `${who} in an \`Atomics.wait\` without end is collected from and held`,
    async (world) => {
      const target = await world.hold(node, "in an `Atomics.wait` without end", { isThread });
      assert.is(await stop(target.link), 1);
      await assertStill(target);
      target.link.release();
      assert.is(await stop(target.link), 0);
    },
  );

  scenario(`${who} is collected from without a hold, too`, async (world) => {
    const { link, count } = await world.hold(node, "in a loop", { isThread });
    const { coverage } = await link.stop({ run: 0, hold: false });
    assert.ok(calls(reportsOf(coverage), FILE, "tick") > 0);
    const before = count();
    await until(() => count() > before);
  });

  scenario(`${who} tells sources in a hold, and goes on counting blocks`, async (world) => {
    const target = await world.hold(node, "in a loop", { isThread });
    const { coverage } = await target.link.stop({ run: 0, hold: true });
    const { scriptId } = reportsOf(coverage).find(({ url }) => url.endsWith(FILE))!;
    await stop(target.link);
    const before = target.count();
    const sources = await target.link.fetchSources([scriptId, "999999999"]);
    assert.is(target.count(), before);
    assert.equal([...sources.keys()], [scriptId]);
    assert.match(sources.get(scriptId)!, /^"use strict";\n[^]*ways\[way\]\(\);\n$/);
    await assertStill(target);
    target.link.release();
    await until(() => target.count() > before);
    const later = reportsOf((await target.link.stop({ run: 0, hold: true })).coverage);
    const { functions } = later.find(({ url }) => url.endsWith(FILE))!;
    assert.ok(functions.every(({ isBlockCoverage }) => isBlockCoverage));
  });
}

const [{ path: NODE }] = NODES;

scenario("scripts that are ignored are not collected any more", async (world) => {
  const { link, count } = await world.hold(NODE, "in a loop");
  const { coverage } = await link.stop({ run: 0, hold: false });
  const ids = reportsOf(coverage).map(({ scriptId }) => scriptId);
  link.ignore(ids);
  const before = count();
  await until(() => count() > before);
  const later = await link.stop({ run: 0, hold: false });
  assert.equal(reportsOf(later.coverage).filter(({ scriptId }) => ids.includes(scriptId)), []);
});

scenario("a hold that nobody ends is given up, and the next one holds", async (world) => {
  const target = await world.hold(NODE, "in a loop", { holdTimeout: 50 });
  const { link, count } = target;
  for (let i = 1; i <= 2; i++) {
    await link.stop({ run: 0, hold: true });
    await until(() => world.expired === i);
    const before = count();
    await until(() => count() > before);
  }
  link.release();
});

scenario("a release lets a target run that is still busy with what it was asked", async (world) => {
  const { link, count } = await world.hold(NODE, "in a loop");
  for (let round = 0; round < 60; round++) {
    await stop(link);
    const fetching = link.fetchSources(["999999999"]);
    await new Promise((resolve) => setTimeout(resolve, round / 20));
    link.release();
    await fetching;
    const before = count();
    await until(() => count() > before);
  }
});

scenario("a target runs for as long as is asked between two holds", async (world) => {
  const target = await world.hold(NODE, "in a loop");
  for (let i = 0; i < 5; i++) {
    await stop(target.link);
    const released = performance.now();
    target.link.release();
    await target.link.stop({ run: 30_000, hold: true });
    assert.ok(performance.now() - released >= 30, "ms from one hold to the next");
  }
});

scenario("several targets are held at once", async (world) => {
  const targets: Counting[] = [];
  for (const { path: node } of NODES) targets.push(await world.hold(node, "in a loop"));
  await Promise.all(targets.map(({ link }) => stop(link)));
  const before = targets.map(({ count }) => count());
  await assertStill(targets[0]);
  assert.equal(targets.map(({ count }) => count()), before);
  targets[1].link.release();
  await until(() => targets[1].count() > before[1]);
  assert.equal([targets[0].count(), targets[2].count()], [before[0], before[2]]);
});

for (const isHeld of [true, false]) {
  scenario(
    `a target that is ${isHeld ? "held" : "running"} runs on when the server goes`,
    async (world) => {
      const target = await world.hold(NODE, "in a loop");
      await stop(target.link);
      if (!isHeld) target.link.release();
      const before = target.count();
      await world.vanish();
      assert.is(await target.link.closed, "connection lost");
      await until(() => target.count() > before + 1000);
      target.child.kill();
      assert.equal(await target.ended, { status: null, signal: "SIGTERM", stdout: "", stderr: "" });
    },
  );
}

hold.run();
