/**
 * Functions that a collection interrupts at their beginning: see `src/blocks/entered_function.ts`. Each of
 * some thousand functions, most of them of one block, is called once while collections never end. V8 can
 * interrupt its work nowhere but at its beginning. By hand, with as many calls as wanted:
 *
 *     CALLS=100000 node dist/test/agent/entered_test.js
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildBlockTable } from "../../src/blocks/block_table.ts";
import type { TargetCoverage } from "../../src/scripts/engine.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { EngineWorld, STRIDE } from "../blocks/engine_world.ts";
import { NODES } from "../blocks/v8_answers.ts";
import { until } from "../until.ts";
import { AgentWorld, placeOf, PROGRAMS, reportsOf, type Running } from "./agent_world.ts";

const entered = suite("agent, functions that are interrupted at their beginning");

const RUNTIMES = [
  ...NODES,
  { v8: "12.4", path: NODES[0].path.replace("node20", "node22") },
];
const CALLS = Number(process.env["CALLS"] ?? 2000);

/** The functions that are called, each with its number; `work` takes some 50 us. */
const KINDS: readonly ((n: number) => string)[] = [
  (n) => `function f${n}() { work(); } f${n}();`,
  (n) => `const f${n} = () => work(); f${n}();`,
  (n) => `const f${n} = { method() { work(); } }; f${n}.method();`,
  (n) => `const f${n} = { get value() { return work(); } }; f${n}.value;`,
  (n) => `class F${n} { constructor() { work(); } } new F${n}();`,
  (n) => `class F${n} extends Base { constructor() { super(); work(); } } new F${n}();`,
  (n) => `class F${n} { static method() { work(); } } F${n}.method();`,
  (n) => `class F${n} { #method() { work(); } call() { this.#method(); } } new F${n}().call();`,
  (n) => `function f${n}(a = work(), { b } = {}) {} f${n}();`,
  (n) => `const f${n} = function /* ( */ inner /* ( */ () { return () => work(); }; f${n}()();`,
  (n) => `const f${n} = (x) => (y) => work(); f${n}(1)(2);`,
  (n) => `async function f${n}() { work(); } f${n}();`,
  (n) => `const f${n} = async () => await work(); f${n}();`,
  (n) => `async function f${n}() {await work()} f${n}();`,
  (n) => `async function f${n}() { work(); await 1; work(); } f${n}();`,
  (n) => `function* f${n}() { work(); } f${n}().next();`,
  (n) => `function* f${n}() { work(); } f${n}();`,
  (n) => `function* f${n}() { yield work(); work(); } for (const _ of f${n}());`,
  (n) =>
    `function* f${n}() { yield work(); work(); } const g${n} = f${n}(); g${n}.next(); g${n}.return();`,
  (n) => `function* f${n}() { yield work(); work(); } f${n}().next();`,
  (n) => `async function* f${n}() { yield work(); } f${n}().next();`,
  (n) => `function f${n}(a) { if (a) work(); } f${n}(1);`,
  (n) => `if (true) { const f${n} = (a) => a ? work() : 0; [1].map(f${n}); }`,
];
/** These have other ranges on Node 22, which the block table does not know. */
const INITIALIZERS: typeof KINDS = [
  (n) => `class F${n} { a = work(); } new F${n}();`,
  (n) => `class F${n} extends Base { static m() {} a; b = work(); } new F${n}();`,
  (n) => `class F${n} { static a = work(); static b = 1; }`,
  (n) => `class F${n} { static { work(); } }`,
  (n) => `class F${n} extends Base {} new F${n}();`,
];

/** A program that replaces and freezes the functions of stack traces, and notes whether they are used. */
const HOSTILE = `
const noted = [];
const note = (what) => noted.includes(what) || noted.push(what);
Object.defineProperty(Error, "stackTraceLimit", { value: 0 });
Object.defineProperty(Error, "prepareStackTrace", { value: () => note("Error") });
Object.freeze(Error);
globalThis.Error = class { static get prepareStackTrace() { return () => note("another Error"); } };
Object.prototype.toJSON = String.prototype.toJSON = function () { note("toJSON"); return 1; };
JSON.stringify = () => note("stringify");
`;
const NOTED = `noted.join()`;

const RUN = "function run() {";

/** A program that waits for a file, calls all functions and then says so by another file. */
function programOf(folder: string, { kinds, isHostile = false }: Way): string {
  const calls = Array.from({ length: CALLS }, (_, n) => kinds[n % kinds.length](n));
  return `"use strict";
const { existsSync, writeFileSync } = require("node:fs");
const bytes = new Uint8Array(1 << 18);
const work = bytes.fill.bind(bytes, 1);
class Base {}
${isHostile ? HOSTILE : ""}
const timer = setInterval(() => {
  if (!existsSync("${folder}/go")) return;
  clearInterval(timer);
  run();
  setTimeout(() => writeFileSync("${folder}/done", ${isHostile ? NOTED : '""'}), 20);
  setInterval(() => {}, 1000);
}, 5);
${RUN}
${calls.join("\n")}
}
`;
}

/** The way to run a program. */
interface Way {
  readonly isThread?: boolean;
  readonly kinds: typeof KINDS;
  readonly isHostile?: boolean;
}

/** A program that waits for its file. */
interface Started {
  readonly source: string;
  readonly link: AgentLink;
  readonly running: Running;
  /** Lets it go on; the result says from then on whether it is done. */
  readonly go: () => () => boolean;
  /** The program's notes. */
  readonly noted: () => string;
}

async function start(world: AgentWorld, node: string, way: Way): Promise<Started> {
  const { folder } = world;
  const file = path.join(folder, "program.cjs");
  const source = programOf(folder, way);
  writeFileSync(file, source);
  const wrapped = way.isThread ? [path.join(PROGRAMS, "in_worker.cjs"), file] : [file];
  const running = world.start(node, wrapped);
  const { link: main } = await world.next();
  world.welcome(main);
  const { link } = way.isThread ? await world.next() : { link: main };
  if (way.isThread) world.welcome(link);
  const go = () => {
    writeFileSync(path.join(folder, "go"), "");
    return () => existsSync(path.join(folder, "done"));
  };
  const noted = () => readFileSync(path.join(folder, "done"), "utf8");
  return { source, link, running, go, noted };
}

/** Counts how often each block of the functions is reported. */
class Counter {
  readonly told = new Map<number, number>();
  readonly coverage: TargetCoverage;
  readonly #engine = new EngineWorld();
  readonly #blockStart: Uint32Array;
  readonly #source: string;

  constructor(source: string) {
    this.coverage = this.#engine.target((url) => url.endsWith("/program.cjs"));
    this.#source = source;
    this.#blockStart = buildBlockTable(source).blockStart;
  }

  async add(link: AgentLink, coverage: Uint8Array): Promise<void> {
    if (coverage.length === 0) return;
    const unknown = this.coverage.absorb(coverage);
    if (unknown.length > 0) {
      await this.coverage.learn(await link.fetchSources(unknown), unknown);
    }
    for (const block of this.#engine.blocks()) {
      if (this.#startOf(block) < this.#source.indexOf(RUN) + RUN.length) continue;
      this.told.set(block, (this.told.get(block) ?? 0) + 1);
    }
    assert.equal([this.coverage.counts.unparsed, this.coverage.counts.strange], [0, 0]);
  }

  #startOf(block: number): number {
    return this.#blockStart[block - STRIDE];
  }

  /** The texts of blocks. */
  textsOf(blocks: Iterable<number>): string[] {
    return Array.from(blocks, (block) => {
      const at = this.#startOf(block);
      const line = this.#source.lastIndexOf("\n", at) + 1;
      return `${this.#source.slice(line, at)}|${this.#source.slice(at, at + 30)}`;
    });
  }
}

/** Stops until the hold is whole, as `Target` does. */
async function stop(link: AgentLink, add: (coverage: Uint8Array) => Promise<void>): Promise<void> {
  for (let isHeld = false; !isHeld;) {
    const taken = await link.stop({ run: 0, hold: true });
    isHeld = taken.held;
    await add(taken.coverage);
  }
}

/** The collection without the agent's own report. */
function withoutPlace(coverage: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(reportsOf(coverage)));
}

interface Outcome {
  readonly counter: Counter;
  /** The counts by V8's reports alone. */
  readonly plain: Counter;
  readonly noted: string;
}

/** Runs a program that is collected from all the time, or only before and after. */
async function run(node: string, way: Way & { isBusy: boolean }): Promise<Outcome> {
  await using world = await AgentWorld.listening();
  const { source, link, go, noted } = await start(world, node, way);
  const [counter, plain] = [new Counter(source), new Counter(source)];
  const collect = async () => {
    await stop(link, async (coverage) => {
      await counter.add(link, coverage);
      if (coverage.length > 0) await plain.add(link, withoutPlace(coverage));
    });
    link.release();
  };
  while (plain.coverage.counts.measured === 0) await collect();
  const isDone = go();
  while (way.isBusy && !isDone()) await collect();
  await until(isDone);
  await collect();
  return { counter, plain, noted: noted() };
}

function without(blocks: Iterable<number>, others: { has(block: number): boolean }): number[] {
  return [...blocks].filter((block) => !others.has(block));
}

/** How often a program is run until V8 has left out a function. */
const ATTEMPTS = 5;

async function assertTold(node: string, way: Way): Promise<void> {
  const { counter: calm } = await run(node, { ...way, isBusy: false });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { counter, plain, noted } = await run(node, { ...way, isBusy: true });
    const { told } = counter;
    assert.equal(calm.textsOf(without(calm.told.keys(), told)), [], "missing");
    assert.equal(calm.textsOf(without(told.keys(), calm.told)), [], "foreign");
    const repeated = [...told.keys()].filter((block) => told.get(block)! > 1);
    assert.equal(calm.textsOf(repeated), [], "repeated");
    assert.is(noted, "");
    if (without(calm.told.keys(), plain.told).length > 0) return;
  }
  assert.unreachable("V8 has left out nothing: this has tried nothing");
}

/** The function that the last collection has interrupted; undefined if there is none. */
function interrupted(coverage: Uint8Array): string | undefined {
  const place = placeOf(coverage);
  if (!place) return undefined;
  const { functionName, ranges: [{ count }] } = place.functions[0];
  const isCalled = reportsOf(coverage).some(({ url, functions }) =>
    url.endsWith("/program.cjs") &&
    functions.some((entry) => entry.functionName === functionName && entry.ranges[0].count === 0)
  );
  return isCalled && count === 0 && /^f\d/.test(functionName) ? functionName : undefined;
}

/** Ends a thread that is held at the beginning of a function: it never runs that. */
async function assertNotTold(node: string): Promise<void> {
  await using world = await AgentWorld.listening();
  const way = { isThread: true, kinds: KINDS.slice(0, 2) };
  const { source, link, running, go } = await start(world, node, way);
  const counter = new Counter(source);
  let name: string | undefined;
  const add = async (coverage: Uint8Array) => {
    name = coverage.length > 0 ? interrupted(coverage) : undefined;
    await counter.add(link, coverage);
  };
  await stop(link, add);
  go();
  while (name === undefined) {
    link.release();
    await stop(link, add);
  }
  const last = name;
  running.child.kill("SIGUSR2");
  await once(running.child.stdout!, "data");
  link.release();
  // A server that does not know yet would do the same.
  const isGone = link.closed.then(() => true);
  while (!(await Promise.race([isGone, stop(link, add).then(() => false, () => true)]))) {
    link.release();
  }
  await link.closed;
  for (const coverage of world.farewells) {
    await counter.add(link, Buffer.from(JSON.stringify(coverage)));
  }
  const texts = counter.textsOf(counter.told.keys());
  assert.ok(texts.length > 0);
  assert.equal(
    texts.filter((text) => text.includes(` ${last}(`) || text.includes(` ${last} `)),
    [],
  );
}

function scenario(sentence: string, action: () => Promise<void>): void {
  if (sentence.includes(process.argv[2] ?? "")) entered(sentence, action);
}

for (const { v8, path: node } of RUNTIMES) {
  const kinds = v8 === "12.4" ? KINDS : [...KINDS, ...INITIALIZERS];
  scenario(
    `V8 ${v8} interrupted anywhere: each block is told of once`,
    () => assertTold(node, { kinds }),
  );
  scenario(
    `a worker thread of V8 ${v8} interrupted anywhere: each block is told of once`,
    () => assertTold(node, { kinds, isThread: true }),
  );
  scenario(
    `V8 ${v8} with all stack traces replaced: each block is told of, and none is used`,
    () => assertTold(node, { kinds, isHostile: true }),
  );
  scenario(
    `a worker thread of V8 ${v8} that ends where it is interrupted has not run on`,
    () => assertNotTold(node),
  );
}

entered.run();
