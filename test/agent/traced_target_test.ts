/** The agent of a target with probes, under orders of the server. */
import * as fs from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TracedArea } from "../../src/messages/protocol.ts";
import type { AgentLink } from "../../src/targets/agent_link.ts";
import { NODES } from "../blocks/v8_answers.ts";
import { until } from "../until.ts";
import { AgentWorld, type Running } from "./agent_world.ts";
import { AreasWorld } from "./areas_world.ts";

const traced = suite("agent, with probes");

/** Executes blocks for ever: 8, 16, 8, 16... */
const LOOP = "setInterval(() => { __kcov(8); __kcov(16); }, 1);";

interface Scene {
  readonly node: string;
  readonly world: AgentWorld;
  readonly areas: AreasWorld;
  /** Starts a program, and welcomes it. */
  start(program: string, first?: readonly TracedArea[]): Promise<Running & { link: AgentLink }>;
}

function scenario(sentence: string, run: (scene: Scene) => unknown): void {
  for (const { v8, path: node } of NODES) {
    traced(`V8 ${v8}: ${sentence}`, async () => {
      await using areas = await AreasWorld.make();
      await using world = await AgentWorld.listening();
      world.collector = "trace";
      await run({
        ...{ node, world, areas },
        async start(program, first = []) {
          const file = path.join(world.folder, "main.cjs");
          fs.writeFileSync(file, program);
          const running = world.start(node, [file]);
          const { link, hello } = await world.next();
          assert.is(hello.collector, "trace");
          world.welcome(link, { isHeld: false, areas: first });
          return { ...running, link };
        },
      });
    });
  }
}

/** Whether a process has files of a folder mapped or open. */
function holds(pid: number, folder: string): boolean {
  const maps = fs.readFileSync(`/proc/${pid}/maps`, "utf8");
  const links = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return [maps, ...links].some((text) => text.includes(`${folder}/`));
}

scenario("what it is welcomed with is written from the first line on", async (scene) => {
  const [pcs, records] = [scene.areas.area(512), scene.areas.area(512, { takesComparisons: true })];
  const program = "__kcov(8); __kcov_pass(16, 1); __kcov_cmp(24, 5, 7); __kcov(-8);";
  const { ended } = await scene.start(program, [pcs, records]);
  assert.equal(await ended, { status: 0, signal: null, stdout: "", stderr: "" });
  assert.equal(scene.areas.hits(pcs), [8, 16, 0xfffffff8]);
  assert.equal(scene.areas.words(records, 5), [1n, 0n, 5n, 7n, 0xffffffff00000018n]);
});

scenario("when a change is answered it has been made", async ({ areas, start }) => {
  const { link } = await start(LOOP);
  const [one, other] = [areas.area(1 << 16), areas.area(1 << 16)];
  await link.trace([one]);
  await until(() => areas.hits(one).length > 4);
  await link.trace([other]);
  const { length } = areas.hits(one);
  await until(() => areas.hits(other).length > 4);
  assert.is(areas.hits(one).length, length);
  assert.equal(new Set([...areas.hits(one), ...areas.hits(other)]), new Set([8, 16]));
});

scenario("an area that cannot be opened is told, and what was before goes on", async (scene) => {
  const { areas } = scene;
  const { link } = await scene.start(LOOP);
  const area = areas.area(1 << 16);
  await link.trace([area]);
  const gone = { ...area, id: "gone", path: `${areas.folder}/gone` };
  const error = await link.trace([gone]).then(() => undefined, (error) => error as Error);
  assert.match(error!.message, /ENOENT.*\/gone/);
  const { length } = areas.hits(area);
  await until(() => areas.hits(area).length > length);
});

scenario("a worker thread has areas of its own", async ({ world, areas, start }) => {
  const [main, own] = [areas.area(1 << 16), areas.area(1 << 16)];
  const started = new Promise<AgentLink>((resolve) =>
    world.onStarted(({ link, hello }) => {
      assert.is(hello.collector, "trace");
      world.welcome(link, { isHeld: false, areas: [own] });
      resolve(link);
    })
  );
  await start(
    'new (require("worker_threads").Worker)("setInterval(() => __kcov(24), 1)", { eval: true });' +
      "setInterval(() => __kcov(8), 1);",
    [main],
  );
  const link = await started;
  await until(() => areas.hits(main).length > 2 && areas.hits(own).length > 2);
  assert.equal([new Set(areas.hits(main)), new Set(areas.hits(own))], [
    ...[new Set([8]), new Set([24])],
  ]);
  await link.trace([]);
  const [before, { length }] = [areas.hits(main).length, areas.hits(own)];
  await until(() => areas.hits(main).length > before + 2);
  assert.is(areas.hits(own).length, length);
});

scenario("worker threads that lose their server write no more, either", async (scene) => {
  const { world, areas } = scene;
  const own = areas.area(1 << 20);
  const welcomed = new Promise<void>((resolve) =>
    world.onStarted(({ link }) => {
      world.welcome(link, { isHeld: false, areas: [own] });
      resolve();
    })
  );
  const { child } = await scene.start(
    'new (require("worker_threads").Worker)("for (;;) __kcov(24);", { eval: true });' +
      "setInterval(() => {}, 1000);",
  );
  await welcomed;
  await until(() => areas.hits(own).length > 2);
  await world.vanish();
  await until(() => !holds(child.pid!, areas.folder));
  assert.is(child.exitCode, null);
});

scenario("it lists all its scripts, those without probes too", async ({ world, start }) => {
  const { link } = await start(
    'require("vm").runInThisContext("1", { filename: "made.js" }); setInterval(() => {}, 1000);',
  );
  const urls: string[] = [];
  while (!urls.includes("made.js")) urls.splice(0, urls.length, ...await link.listScripts());
  const main = fs.realpathSync(path.join(world.folder, "main.cjs"));
  assert.ok(urls.some((url) => url === `file://${main}`), urls.join("\n"));
});

for (const how of ["is let go of", "loses its server"]) {
  scenario(`a target that ${how} writes no more, and goes on`, async ({ world, areas, start }) => {
    const counter = path.join(world.folder, "counter");
    fs.writeFileSync(counter, "");
    const count = JSON.stringify(counter);
    const { link, child } = await start(
      `setInterval(() => { __kcov(8); require("fs").appendFileSync(${count}, "."); }, 1);`,
    );
    const shared = { isShared: true };
    const all = [areas.area(1 << 16), areas.area(1 << 16, shared)];
    await link.trace(all);
    await until(() => all.every((area) => areas.hits(area).length > 2));
    assert.ok(holds(child.pid!, areas.folder));
    if (how === "is let go of") await link[Symbol.asyncDispose]();
    else await world.vanish();
    await until(() => !holds(child.pid!, areas.folder));
    const lengths = all.map((area) => areas.hits(area).length);
    const ran = fs.statSync(counter).size;
    await until(() => fs.statSync(counter).size > ran + 5);
    assert.equal(all.map((area) => areas.hits(area).length), lengths);
    assert.is(child.exitCode, null);
  });
}

traced.run();
