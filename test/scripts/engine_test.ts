import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { collection, EngineWorld, report, STRIDE } from "../blocks/engine_world.ts";

const engine = suite("scripts/engine");

const all = () => true;

/**
 * Blocks: 0 the top level; 1 `f`, 2 its then, 3 its else (the code after the `if` would be behind the
 * function's last statement, so it is no block); 4 `g`; 5 `h`.
 */
const SOURCE = "function f(a) { if (a) { g(); } else { h(); } }\n" + // 0 to 47; else at 31 to 45
  "function g() {}\n" + // 48 to 63
  "function h() {}\n" + // 64 to 79
  "f(1);\n"; // up to 86

/** V8's report of SOURCE's first run. */
const FIRST_RUN = [
  report("", [[0, 86, 1]]),
  report("f", [[0, 47, 1], [31, 45, 0]]),
  report("g", [[48, 63, 1]]),
  report("h", [[64, 79, 0]]),
];
/** Its report of a later `f(0)`. */
const OTHER_BRANCH = [report("f", [[0, 47, 1], [23, 31, 0]]), report("h", [[64, 79, 1]])];

const of = (functions: object[], scriptId = "7", url = "file:///a.js") => ({
  scriptId,
  url,
  functions,
});
const numbers = (...blocks: number[]) => blocks.map((block) => STRIDE + block);

/** A world with one target that knows SOURCE as script 7. */
async function learned() {
  const world = new EngineWorld();
  const target = world.target(all);
  assert.equal(target.absorb(collection(of([]))), ["7"]);
  await target.learn(new Map([["7", SOURCE]]), ["7"]);
  assert.equal(world.blocks(), []);
  return { world, target };
}

engine("the blocks that executed are those whose innermost range counts", async () => {
  const { world, target } = await learned();
  assert.equal(target.absorb(collection(of(FIRST_RUN))), []);
  assert.equal(world.blocks(), numbers(0, 1, 2, 4));
  target.absorb(collection(of(OTHER_BRANCH)));
  assert.equal(world.blocks(), numbers(1, 3, 5));
});

engine("each block is given once a report, and nothing twice", async () => {
  const { world, target } = await learned();
  target.absorb(collection(of(OTHER_BRANCH)));
  target.absorb(collection(of(OTHER_BRANCH)));
  assert.equal(world.blocks(), numbers(1, 3, 5, 1, 3, 5));
  assert.equal(world.blocks(), []);
  target.absorb(collection());
  assert.equal(world.blocks(), []);
});

engine("PCs are the script's place and 8 a block", async () => {
  const { target } = await learned();
  target.absorb(collection(of(OTHER_BRANCH)));
  assert.equal([...target.drain()], [
    0x80000000 + 8008,
    0x80000000 + 8024,
    0x80000000 + 8040,
  ]);
});

engine("a resumed generator counts 0 itself, but what it ran inside counts", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  // Blocks: 0 top level, 1 `f`, 2 what follows the `yield`.
  const source = "function* f() { yield; g(); }\n"; // 0 to 29; after `yield;` 22
  target.absorb(collection(of([])));
  await target.learn(new Map([["7", source]]), ["7"]);
  target.absorb(collection(of([report("f", [[0, 29, 0], [22, 28, 1]])])));
  assert.equal(world.blocks(), numbers(2));
});

engine(
  "a source that is one function has two entries with one range, the outer first",
  async () => {
    const world = new EngineWorld();
    const target = world.target(all);
    target.absorb(collection(of([]), of([], "8", "file:///b.js")));
    await target.learn(new Map([["7", "()=>a"]]), ["7"]);
    await target.learn(new Map([["8", "function f(){}"]]), ["8"]);
    target.absorb(collection(of([report("", [[0, 5, 1]]), report("", [[0, 5, 1]])])));
    assert.equal(world.blocks(), numbers(0, 1));
    target.absorb(collection(of([report("", [[0, 5, 1]])])));
    assert.equal(world.blocks(), numbers(1), "one alone is the arrow function's");
    target.absorb(collection(of([report("f", [[0, 14, 1]])], "8", "file:///b.js")));
    assert.equal(world.blocks(), [2 * STRIDE + 1], "one with a name is the function's");
  },
);

engine("without block counters a function that ran has executed its first block", async () => {
  const { world, target } = await learned();
  target.absorb(collection(of([
    report("f", [[0, 47, 3]], false),
    report("g", [[48, 63, 0]], false),
  ])));
  assert.equal(world.blocks(), numbers(1));
  assert.is(target.counts.coarse, 1);
});

engine(
  "functions without block counters are counted once, until V8 has compiled them anew",
  async () => {
    const { target } = await learned();
    const f = (hasCounters: boolean) => report("f", [[0, 47, 1]], hasCounters);
    const g = (hasCounters: boolean) => report("g", [[48, 63, 1]], hasCounters);
    for (let i = 0; i < 3; i++) target.absorb(collection(of([f(false), g(false)])));
    assert.is(target.counts.coarse, 2);
    target.absorb(collection(of([f(true)])));
    assert.is(target.counts.coarse, 1);
    target.absorb(collection(of([f(true), g(true)])));
    assert.is(target.counts.coarse, 0);
  },
);

engine("a function that the table does not have is counted as strange and has no PC", async () => {
  const { world, target } = await learned();
  target.absorb(collection(of([report("f", [[1, 47, 1]]), report("g", [[48, 63, 1]])])));
  assert.equal(world.blocks(), numbers(4));
  assert.is(target.counts.strange, 1);
});

engine(
  "an unknown script is asked for once, and its earlier reports count when it is known",
  async () => {
    const world = new EngineWorld();
    const target = world.target(all);
    assert.equal(target.absorb(collection(of(FIRST_RUN))), ["7"]);
    assert.equal(target.absorb(collection(of(OTHER_BRANCH))), []);
    assert.equal(target.absorb(collection()), []);
    assert.equal(world.blocks(), []);
    await target.learn(new Map([["7", SOURCE]]), ["7"]);
    assert.equal(world.blocks(), numbers(0, 1, 2, 4, 1, 3, 5));
    assert.equal(target.absorb(collection(of(OTHER_BRANCH))), []);
    assert.equal(world.blocks(), numbers(1, 3, 5));
    const { measured, blocks } = target.counts;
    assert.equal([measured, blocks], [1, 6]);
  },
);

engine("what is reported while the table is being made counts, too", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  target.absorb(collection(of(FIRST_RUN)));
  const learning = target.learn(new Map([["7", SOURCE]]), ["7"]);
  assert.equal(target.absorb(collection(of(OTHER_BRANCH))), []);
  assert.equal(world.blocks(), []);
  await learning;
  assert.equal(world.blocks(), numbers(0, 1, 2, 4, 1, 3, 5));
});

engine("sources that could not be had are asked for again, and no report is lost", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  target.absorb(collection(of(FIRST_RUN)));
  assert.equal(target.absorb(collection(of([], "8", "file:///b.js"))), ["8"]);
  target.postpone(["7"]);
  assert.equal(target.absorb(collection()), ["7"], "even if nothing of it ran since");
  assert.equal(target.absorb(collection()), []);
  await target.learn(new Map([["7", SOURCE]]), ["7"]);
  assert.equal(world.blocks(), numbers(0, 1, 2, 4));
});

engine("a script that is not there any more is given up", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  target.absorb(collection(of(FIRST_RUN), of([], "8", "file:///b.js")));
  await target.learn(new Map([["8", SOURCE]]), ["7", "8"]);
  assert.equal(target.takeIgnored(), ["7"]);
  assert.equal(target.absorb(collection(of(FIRST_RUN))), []);
  assert.equal(world.blocks(), []);
});

engine("scripts that are not to be measured are not asked for, and named once", () => {
  const world = new EngineWorld();
  const target = world.target((url) => url.startsWith("file:///src/"));
  const inside = of([], "1", "file:///src/a.js");
  const outside = of(FIRST_RUN, "2", "file:///lib/b.js");
  assert.equal(target.absorb(collection(inside, outside)), ["1"]);
  assert.equal(target.takeIgnored(), ["2"]);
  assert.equal(target.absorb(collection(inside, outside)), []);
  assert.equal(target.takeIgnored(), []);
  assert.is(target.counts.unnamed, 0);
});

engine("scripts without a URL are counted, each once", () => {
  const world = new EngineWorld();
  const target = world.target((url) => url !== "");
  const scripts = [of([], "1", ""), of([], "2", ""), of([], "3", "file:///a.js")];
  target.absorb(collection(...scripts));
  target.absorb(collection(...scripts));
  assert.is(target.counts.unnamed, 2);
  assert.equal(target.takeIgnored(), ["1", "2"]);
});

engine(
  "a source that cannot be parsed is ignored",
  async () => {
    const world = new EngineWorld();
    const targets = [world.target(all), world.target(all)];
    for (const [i, target] of targets.entries()) {
      const id = String(10 + i);
      target.absorb(collection(of(FIRST_RUN, id)));
      await target.learn(new Map([[id, "function ("]]), [id]);
      assert.equal([target.counts.unparsed, target.counts.measured], [1, 0]);
      assert.equal(target.takeIgnored(), [id]);
      assert.equal(target.absorb(collection(of(FIRST_RUN, id))), []);
    }
    assert.equal(world.blocks(), []);
  },
);

engine("a link may tell the URL of a map", async () => {
  const world = new EngineWorld();
  const target = world.engine.target(all);
  target.absorb(collection(of(FIRST_RUN)));
  await target.learn(new Map([["7", { source: SOURCE, mapUrl: "a.map" }]]), ["7"]);
  assert.equal([world.mapUrls, world.built], [["a.map"], [SOURCE]]);
});

engine("a script for which there are no PCs left is ignored", async () => {
  const world = new EngineWorld();
  world.failure = new RangeError("Cannot give 6 blocks of file:///a.js PCs: no room is left");
  const target = world.target(all);
  target.absorb(collection(of(FIRST_RUN)));
  await target.learn(new Map([["7", SOURCE]]), ["7"]);
  assert.equal([world.blocks(), target.takeIgnored()], [[], ["7"]]);
});

engine("two targets that run the same source share its table and its PCs", async () => {
  const world = new EngineWorld();
  const [one, other] = [world.target(all), world.target(all)];
  one.absorb(collection(of(FIRST_RUN, "7")));
  other.absorb(collection(of(OTHER_BRANCH, "99")));
  await Promise.all([
    one.learn(new Map([["7", SOURCE]]), ["7"]),
    other.learn(new Map([["99", SOURCE]]), ["99"]),
  ]);
  assert.is(world.built.length, 1);
  assert.equal(world.blocks().sort(), numbers(0, 1, 2, 4, 1, 3, 5).sort());
  assert.equal([one.counts.measured, other.counts.measured], [1, 1]);
  other.absorb(collection(of(OTHER_BRANCH, "7")));
  assert.equal(world.blocks(), [], "its script 7 is another one");
});

engine(
  "what is no JSON is a SyntaxError, and costs nothing that came before or after",
  async () => {
    const { world, target } = await learned();
    target.absorb(collection(of(OTHER_BRANCH)));
    const cut = collection(of(FIRST_RUN));
    assert.throws(() => target.absorb(cut.subarray(0, 50)), (e: Error) => e instanceof SyntaxError);
    target.absorb(collection(of(OTHER_BRANCH)));
    assert.equal(world.blocks(), numbers(1, 3, 5, 1, 3, 5));
  },
);

/** The place where a collection has interrupted JavaScript, in the agent's form, before the other reports. */
const place = (
  position: number,
  { url = "/a.js", name = "", mayResume = false } = {},
) => of([report(name, [[position, position, mayResume ? 1 : 0]], false)], "", url);
/** `f` was called, and none of its code has run. */
const ENTERED = collection(place(10), of([report("f", [[0, 47, 0]])]));
const OTHERS = collection(of([report("g", [[48, 63, 1]])]));

engine(
  "a function that was interrupted when it was entered, and is left out then, has all run",
  async () => {
    const { world, target } = await learned();
    assert.equal(target.absorb(ENTERED), []);
    assert.equal(world.blocks(), []);
    target.absorb(OTHERS);
    assert.equal(world.blocks(), numbers(4, 1, 2, 3));
    target.absorb(OTHERS);
    assert.equal(world.blocks(), numbers(4), "once");
  },
);

engine("it has run, too, when the next collection brings nothing", async () => {
  const { world, target } = await learned();
  target.absorb(ENTERED);
  target.absorb(collection());
  assert.equal(world.blocks(), numbers(1, 2, 3));
});

engine("of an interrupted function that V8 reports, that counts and nothing else", async () => {
  const { world, target } = await learned();
  target.absorb(ENTERED);
  target.absorb(collection(of(OTHER_BRANCH)));
  assert.equal(world.blocks(), numbers(1, 3, 5));
  target.absorb(ENTERED);
  target.absorb(collection(of([report("f", [[0, 47, 0]])])));
  assert.equal(world.blocks(), [], "it was ended there");
});

engine("while a function is interrupted at one place it has not run on", async () => {
  const { world, target } = await learned();
  target.absorb(ENTERED);
  target.absorb(collection(place(10)));
  target.absorb(collection(place(10)));
  assert.equal(world.blocks(), []);
  target.absorb(collection(place(58), of([report("g", [[48, 63, 0]])])));
  assert.equal(world.blocks(), numbers(1, 2, 3));
  target.absorb(OTHERS);
  assert.equal(world.blocks(), numbers(4));
});

engine(
  "a function that was interrupted elsewhere has run nothing that was not counted",
  async () => {
    const { world, target } = await learned();
    for (const other of [place(25), place(58), place(10, { url: "/b.js" }), place(0)]) {
      target.absorb(collection(other, of([report("f", [[0, 47, 0]])])));
      target.absorb(OTHERS);
      assert.equal(world.blocks(), numbers(4));
    }
  },
);

engine("a function without counters for blocks has told by its call", async () => {
  const { world, target } = await learned();
  target.absorb(collection(place(10), of([report("f", [[0, 47, 1]], false)])));
  assert.equal(world.blocks(), numbers(1));
  target.absorb(OTHERS);
  assert.equal(world.blocks(), numbers(4));
});

engine("a file is known by its path, whatever is in it", async () => {
  for (const path of ["/a b.js", "/größe#?.js", "/50%.js", "file:///c.mjs"]) {
    const world = new EngineWorld();
    const target = world.target(all);
    const url = path.startsWith("/") ? pathToFileURL(path).href : path;
    target.absorb(collection(of([], "7", url)));
    await target.learn(new Map([["7", SOURCE]]), ["7"]);
    target.absorb(collection(place(10, { url: path }), of([report("f", [[0, 47, 0]])], "7", url)));
    target.absorb(collection());
    assert.equal(world.blocks(), numbers(1, 2, 3), path);
  }
});

engine("of two scripts of one name, that of which the function was called is meant", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  target.absorb(collection(of([]), of([], "8")));
  await target.learn(new Map([["7", SOURCE], ["8", SOURCE]]), ["7", "8"]);
  const called = of([report("f", [[0, 47, 0]])]);
  target.absorb(collection(place(10), called, of([report("g", [[48, 63, 1]])], "8")));
  world.blocks();
  target.absorb(collection());
  assert.equal(world.blocks(), numbers(1, 2, 3));
  target.absorb(collection(place(10), called, of([report("f", [[0, 47, 0]])], "8")));
  target.absorb(collection());
  assert.equal(world.blocks(), [], "nobody knows");
});

engine("a function of a script whose source is not known yet is told of when it is", async () => {
  const world = new EngineWorld();
  const target = world.target(all);
  assert.equal(target.absorb(ENTERED), ["7"]);
  target.absorb(collection());
  assert.equal(world.blocks(), []);
  await target.learn(new Map([["7", SOURCE]]), ["7"]);
  assert.equal(world.blocks(), numbers(1, 2, 3));
});

engine("a function that may just have been resumed is told of if it never is", async () => {
  const source = "async function f() { g() }\nasync function h() {await g()}"; // 0 to 26, 27 to 57
  const world = new EngineWorld();
  const target = world.target(all);
  target.absorb(collection(of([])));
  await target.learn(new Map([["7", source]]), ["7"]);
  const enter = (position: number, range: [number, number], mayResume: boolean) => {
    const call = of([report("", [[...range, 0]])]);
    target.absorb(collection(place(position, { mayResume }), call));
    target.absorb(collection());
    return world.blocks();
  };
  assert.equal(enter(16, [0, 26], true), numbers(1));
  assert.equal(enter(16, [0, 26], false), numbers(1));
  assert.equal(enter(43, [27, 57], true), []);
  assert.equal(enter(43, [27, 57], false), numbers(2));
});

engine(
  "what initialises a class is entered where its range starts, its constructor elsewhere",
  async () => {
    const source = "class A { b = 1; }"; // On Node 20 the class is the range.
    const name = "<instance_members_initializer>";
    for (const range of [[0, 18], [10, 15]] as const) {
      const world = new EngineWorld();
      const target = world.target(all);
      target.absorb(collection(of([])));
      await target.learn(new Map([["7", source]]), ["7"]);
      const call = of([report(name, [[...range, 0]])]);
      target.absorb(collection(place(range[0], { name }), call));
      target.absorb(collection());
      assert.equal(world.blocks(), numbers(1));
      target.absorb(collection(place(0, { name: "A" }), call));
      target.absorb(collection());
      assert.equal(world.blocks(), [], "a default constructor");
    }
  },
);

engine.run();
