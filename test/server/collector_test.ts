import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Collector } from "../../src/server/collector.ts";
import { CoveredBlocks } from "../../src/symbols/covered_blocks.ts";
import type { Taken } from "../../src/targets/link.ts";
import { Registry } from "../../src/targets/registry.ts";
import { ALL_UNITS, type Units } from "../../src/kcov/coherence/unit.ts";
import {
  collection,
  EngineWorld,
  report,
  type ScriptReport,
  STRIDE,
} from "../blocks/engine_world.ts";
import { deferred, FakeLink, turn } from "../targets/fake_link.ts";
import { unitId } from "../../src/kcov/ids.ts";

const collector = suite("collector");

/** Blocks: 0 the top level, 1 `f`. */
const SOURCE = "function f() {}\n";
const RAN_F = [report("f", [[0, 15, 1]])];

const of = (scriptId: string, url = "file:///a.js"): ScriptReport => ({
  scriptId,
  url,
  functions: RAN_F,
});

function blocksOf(pcs: Uint32Array): number[] {
  return [...pcs].map((pc) => (pc - 0x80000000) / 8);
}

function made(options: { collectTimeout?: number } = {}) {
  const world = new EngineWorld();
  const registry = new Registry({ collectTimeout: options.collectTimeout ?? 5000, hold: "auto" });
  const warnings: string[] = [];
  const subject = new Collector({
    covered: new CoveredBlocks(),
    segments: () => [],
    registry,
    engine: world.engine,
    filterFor: ({ info }) => (url) => url !== "" && info.name !== "unmeasured",
    reporter: { warn: (line) => warnings.push(line) },
  });
  const add = (name = "api") => {
    const link = new FakeLink();
    return { link, target: registry.add(link, { name, pid: 1, runtime: "node" }) };
  };
  /** Stops, and returns the numbers of the blocks whose PCs came. */
  const stop = async (run = 0, units: Units = ALL_UNITS) => {
    const executed = await subject.stop({ run, units });
    return executed.flatMap(({ pcs }) => blocksOf(pcs));
  };
  return { world, registry, subject, warnings, add, stop };
}

/** A target's reports, collection by collection, and nothing afterwards. */
function reports(...collections: ScriptReport[][]): FakeLink["onStop"] {
  return ({ hold }) =>
    Promise.resolve({ coverage: collection(...collections.shift() ?? []), held: hold });
}

/** Hands out the sources of scripts, by their ids. */
const sources = (scripts: Record<string, string>): FakeLink["onFetch"] => (scriptIds) =>
  Promise.resolve(new Map(Object.entries(scripts).filter(([id]) => scriptIds.includes(id))));

collector("without targets, and without coverage, there are no PCs", async () => {
  const { subject, add, stop } = made();
  assert.equal(await stop(), []);
  subject.release(ALL_UNITS);
  add().link.onStop = reports();
  assert.equal(await stop(), []);
});

collector(
  "for scripts never seen before targets are let go, and collected from again",
  async () => {
    const { subject, add, stop, world } = made();
    const { link } = add();
    link.onStop = reports([of("1")], [of("1")]);
    link.onFetch = sources({ 1: SOURCE });
    assert.equal(await stop(40), [STRIDE + 1, STRIDE + 1]);
    assert.equal(link.calls, ["stop 40 hold", "fetch 1", "release", "stop 40 hold"]);
    assert.is(world.built.length, 1);
    subject.release(ALL_UNITS);
    assert.is(link.calls.at(-1), "release");
  },
);

collector("targets run while tables are made, and are held when the PCs are there", async () => {
  const { registry, add, stop } = made();
  const { link, target } = add();
  const answers = [deferred<Taken>(), deferred<Taken>()];
  const states: string[] = [];
  link.onStop = () =>
    answers[link.calls.filter((call) => call.startsWith("stop")).length - 1]
      .promise;
  link.onFetch = (ids) => {
    states.push(`fetch: ${target.state}`);
    return sources({ 1: SOURCE })(ids);
  };
  const stopping = stop();
  answers[0].resolve({ coverage: collection(of("1")), held: true });
  await turn();
  states.push(`tables: ${target.state}`);
  answers[1].resolve({ coverage: collection(), held: true });
  assert.equal(await stopping, [STRIDE + 1]);
  assert.equal([...states, target.state], ["fetch: held", "tables: running", "held"]);
  registry.release();
});

collector("known scripts cost one stop", async () => {
  const { subject, add, stop } = made();
  const { link } = add();
  link.onStop = reports([of("1")], [], [of("1")]);
  link.onFetch = sources({ 1: SOURCE });
  await stop();
  subject.release(ALL_UNITS);
  link.calls.length = 0;
  assert.equal(await stop(), [STRIDE + 1]);
  assert.equal(link.calls, ["stop 0 hold"]);
});

collector("what all targets executed comes together", async () => {
  const { add, stop } = made();
  const [one, other] = [add("one").link, add("other").link];
  one.onStop = reports([of("1")]);
  one.onFetch = sources({ 1: SOURCE });
  other.onStop = reports([of("9", "file:///b.js")]);
  other.onFetch = sources({ 9: SOURCE });
  assert.equal((await stop()).sort(), [STRIDE + 1, 2 * STRIDE + 1]);
});

collector("a target is told which scripts need not be collected", async () => {
  const { add, stop } = made();
  const { link } = add("unmeasured");
  link.onStop = reports([of("1"), of("2", "")]);
  assert.equal(await stop(), []);
  assert.equal(link.calls, ["stop 0 hold", "ignore 1,2"]);
});

collector(
  "sources that cannot be had end the collection, are warned of and asked for again",
  async () => {
    const { subject, add, stop, warnings } = made();
    const { link } = add();
    link.onStop = reports([of("1")]);
    link.onFetch = () => Promise.reject(new Error("no sources"));
    assert.equal(await stop(), []);
    assert.equal(link.calls, ["stop 0 hold", "fetch 1"]);
    assert.equal(warnings, ["Cannot fetch scripts of api: no sources"]);
    subject.release(ALL_UNITS);
    link.onFetch = sources({ 1: SOURCE });
    assert.equal(await stop(), [STRIDE + 1], "what ran before is counted");
  },
);

collector(
  "a target that does not hand its sources over in time does not stop the others",
  async () => {
    const { add, stop, warnings } = made({ collectTimeout: 20 });
    const slow = add("slow");
    slow.link.onStop = reports([of("1")]);
    slow.link.onFetch = () => new Promise(() => {});
    const prompt = add("prompt").link;
    prompt.onStop = reports([of("1")]);
    prompt.onFetch = sources({ 1: SOURCE });
    assert.equal(await stop(), [STRIDE + 1]);
    assert.is(slow.target.state, "late");
    assert.equal(warnings, ["Cannot fetch scripts of slow: no answer within 20 ms"]);
  },
);

collector("a script that is gone, or that cannot be parsed, is not asked for again", async () => {
  const { subject, add, stop } = made();
  const { link, target } = add();
  const both = [of("1"), of("2", "file:///b.js")];
  link.onStop = reports(both, both, both);
  link.onFetch = sources({ 2: "function (" });
  assert.equal(await stop(), []);
  subject.release(ALL_UNITS);
  assert.equal(await stop(), []);
  assert.equal(link.calls.filter((call) => call.startsWith("fetch")), ["fetch 1,2"]);
  assert.ok(link.calls.includes("ignore 1,2"), "at the next collection");
  assert.is(subject.coverageOf(target).counts.unparsed, 1);
});

collector("a program that never ends loading scripts cannot keep the client waiting", async () => {
  const { add, stop, registry } = made();
  const { link, target } = add();
  let next = 0;
  link.onStop = ({ hold }) => {
    const id = String(++next);
    const coverage = collection(of(id, `file:///${id}.js`));
    return Promise.resolve({ coverage, held: hold });
  };
  link.onFetch = (ids) => Promise.resolve(new Map(ids.map((id) => [id, SOURCE])));
  const blocks = await stop();
  assert.is(blocks.length, next, "nothing that was collected is left out");
  assert.ok(next > 1 && next <= 20, `${next} rounds`);
  assert.is(target.state, "held", "the PCs are there, and nothing has run since");
  assert.is(link.calls.filter((call) => call === "release").length, next - 1);
  registry.release();
});

collector("coverage that makes no sense is warned of and costs only itself", async () => {
  const { subject, add, stop, warnings } = made();
  const liar = add("liar").link;
  const honest = add("honest").link;
  honest.onFetch = sources({ 1: SOURCE });
  const texts = ["{", "7", "[null]"];
  for (const text of texts) {
    liar.onStop = () => Promise.resolve({ coverage: Buffer.from(text), held: true });
    honest.onStop = reports([of("1")]);
    assert.equal(await stop(), [STRIDE + 1], text);
    subject.release(ALL_UNITS);
  }
  // The first collection takes two rounds, since the honest target's script is new.
  assert.is(warnings.length, texts.length + 1);
  assert.match(warnings[0], /^Cannot read the coverage of liar: SyntaxError: /);
});

collector("functions that make no sense have no PCs", async () => {
  const lies = [{ functions: null }, { functions: [{}] }, { functions: [{ ranges: [] }] }];
  for (const lie of lies) {
    const { add, stop, subject, warnings } = made();
    const { link, target } = add("liar");
    link.onStop = reports([{ ...of("1"), ...lie } as ScriptReport]);
    link.onFetch = sources({ 1: SOURCE });
    assert.equal(await stop(), [], JSON.stringify(lie));
    if (subject.coverageOf(target).counts.strange > 0) continue;
    assert.match(warnings.join(), /^Cannot read the coverage of liar: \w*Error: /);
  }
});

collector("sources that make no sense are warned of", async () => {
  const { add, stop, warnings } = made();
  const { link } = add("liar");
  link.onStop = reports([of("1")]);
  link.onFetch = () => Promise.resolve(new Map([["1", 7 as unknown as string]]));
  assert.equal(await stop(), []);
  assert.match(warnings.join(), /^Cannot read the coverage of liar: /);
});

collector("a target's last coverage is part of the next collection", async () => {
  const { subject, add, stop } = made();
  const { link, target } = add();
  link.onFetch = sources({ 1: SOURCE });
  await subject.farewell(target, collection(of("1")));
  link.close("exited");
  await turn();
  assert.equal(await stop(), [STRIDE + 1]);
  assert.equal(await stop(), []);
});

collector("a last coverage whose sources cannot be had is let go", async () => {
  const { subject, add, warnings } = made();
  const { link, target } = add();
  link.onFetch = () => Promise.reject(new Error("exited"));
  await subject.farewell(target, collection(of("1")));
  await subject.farewell(target, Buffer.from("{"));
  assert.is(warnings.length, 2);
});

collector(
  "PCs stay as they are until the next collection, whatever comes in meanwhile",
  async () => {
    const { subject, add } = made();
    const { link, target } = add();
    link.onStop = reports([of("1")], []);
    link.onFetch = sources({ 1: SOURCE });
    const [{ pcs }] = await subject.stop({ run: 0, units: ALL_UNITS });
    const before = [...pcs];
    await subject.farewell(
      target,
      collection({ ...of("1"), functions: [report("", [[0, 16, 1]])] }),
    );
    assert.equal([...pcs], before);
  },
);

collector("each target has scripts of its own", () => {
  const { subject, add } = made();
  const [one, other] = [add("one").target, add("other").target];
  assert.is(subject.coverageOf(one), subject.coverageOf(one));
  assert.is.not(subject.coverageOf(one), subject.coverageOf(other));
});

collector("collections of different targets do not wait for each other", async () => {
  const { subject, add, stop } = made();
  const slow = add("slow");
  const prompt = add("prompt");
  const answer = deferred<Taken>();
  slow.link.onStop = () => answer.promise;
  prompt.link.onStop = reports([of("1")]);
  prompt.link.onFetch = sources({ 1: SOURCE });
  const stopping = stop(0, { only: [unitId(slow.target.id)] });
  assert.equal(await stop(0, { only: [unitId(prompt.target.id)] }), [STRIDE + 1]);
  assert.equal([slow.target.state, prompt.target.state], ["held", "held"]);
  subject.release({ only: [unitId(prompt.target.id)] });
  assert.equal([slow.target.state, prompt.target.state], ["held", "running"]);
  answer.resolve({ coverage: collection(), held: true });
  assert.equal(await stopping, []);
  assert.is(slow.link.calls.length, 1, "it was let alone");
});

collector("the PCs of targets that share a script come apart", async () => {
  const { subject, add } = made();
  const targets = [add("one"), add("other")];
  for (const { link } of targets) link.onFetch = sources({ 1: SOURCE });
  targets[0].link.onStop = reports([of("1")]);
  targets[1].link.onStop = reports([{ ...of("1"), functions: [report("", [[0, 16, 1]])] }]);
  const stop = async (units: Units) =>
    (await subject.stop({ run: 0, units })).map(({ target, pcs }) => [target, ...blocksOf(pcs)]);
  assert.equal(await stop(ALL_UNITS), [[1, STRIDE + 1], [2, STRIDE]]);
  subject.release(ALL_UNITS);
  for (const { link } of targets) link.onStop = reports([of("1")]);
  assert.equal(await stop({ only: [unitId(2)] }), [[2, STRIDE + 1]]);
  subject.release({ only: [unitId(2)] });
  assert.equal(await stop({ except: [unitId(2)] }), [[1, STRIDE + 1]]);
});

collector("a last coverage waits for the next collection of its own unit", async () => {
  const { subject, add, stop } = made();
  const { link, target } = add("gone");
  const staying = add("staying").target;
  link.onFetch = sources({ 1: SOURCE });
  await subject.farewell(target, collection(of("1")));
  link.close("exited");
  await turn();
  assert.equal(await stop(0, { only: [unitId(staying.id)] }), []);
  assert.equal(await stop(0, { only: [unitId(target.id)] }), [STRIDE + 1]);
});

collector("scripts of another thread are fetched when its main thread runs", async () => {
  const { subject, registry, add, stop } = made();
  const main = add("main");
  const link = new FakeLink();
  registry.add(link, { name: "worker", pid: 1, runtime: "node", parent: main.target });
  link.onStop = reports([of("1")], [of("1")]);
  const released = deferred<void>();
  link.onFetch = async (ids) => {
    await released.promise;
    return await sources({ 1: SOURCE })(ids);
  };
  main.link.onRelease = () => released.resolve();
  assert.equal(await stop(), [STRIDE + 1, STRIDE + 1]);
  subject.release(ALL_UNITS);
});

collector.run();
