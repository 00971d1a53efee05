import { once } from "node:events";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scenarios } from "../scenarios.ts";
import { NODES } from "../blocks/v8_answers.ts";
import { until } from "../until.ts";
import { AgentWorld, calls, type Ended, PROGRAMS } from "./agent_world.ts";

const ends = suite("agent, the end of worker threads");

const PROGRAM = path.join(PROGRAMS, "worker_ends.cjs");
/** Worker threads that end by themselves. */
const OWN = [
  "the worker ends",
  "the worker exits",
  "the worker exits at once",
  "the worker really exits",
  "the worker throws",
  "the worker rejects",
  "the worker throws in a listener of its exit",
  "the worker has more to do before it exits",
  "the worker closes its port",
];
/** Worker threads that others end. */
const ENDED = [
  "a worker in a loop is terminated",
  "an idle worker is terminated",
  "a worker that waits is terminated",
  "a worker is terminated before it has begun",
  "the process exits while its workers are in loops",
  "the process ends by an error while its workers are idle",
  "an idle worker that nobody waits for does not keep the process",
  "the main thread waits for its worker",
  "workers come and go",
];

const scenario = scenarios(ends, () => AgentWorld.listening());

/** A stack has frames of the agent's own, and of Node's. */
function comparable({ stdout, stderr, ...rest }: Ended) {
  return {
    ...rest,
    stdout: stdout.split("\n").sort().join("\n"),
    stderr: stderr.replace(/^ {4}at .*\n/gm, "").replace(/<--- [^]*/, ""),
  };
}

for (const { v8, path: node } of NODES) {
  for (const way of [...OWN, ...ENDED]) {
    scenario(`V8 ${v8}: ${way}, with the agent as without`, async (world) => {
      const plain = comparable(await world.start(node, [PROGRAM, way], null).ended);
      assert.match(plain.stdout, "main left");
      const reasons: Promise<string>[] = [];
      world.onStarted(({ link }) => {
        reasons.push(link.closed);
        world.welcome(link);
      });
      const { ended } = world.start(node, [PROGRAM, way]);
      const { link } = await world.next();
      world.welcome(link);
      assert.equal(comparable(await ended), plain);
      assert.is(await link.closed, "exited");
      for (const reason of await Promise.all(reasons)) assert.is(reason, "exited");
      if (OWN.includes(way)) assert.is(reasons.length, 1);
      const left = calls(world.farewells.flat(), "/worker_ends.cjs", "leave");
      assert.is(left, plain.stdout.split(" left").length - 1, "last functions were collected");
    });
  }
}

const [{ path: NODE }] = NODES;

for (const { v8, path: node } of NODES) {
  for (const way of ["in a loop", "in a loop that calls nothing"]) {
    scenario(
      `V8 ${v8}: a worker thread ${way}, terminated while it is held, ends then`,
      async (world) => {
        const target = await world.hold(node, way, { isThread: true });
        await target.link.stop({ run: 0, hold: true });
        const terminating = once(target.child.stdout!, "data");
        target.child.kill("SIGUSR2");
        await terminating;
        target.link.release();
        const { status, stdout } = await target.ended;
        assert.equal({ status, stdout }, { status: 0, stdout: "terminating\nworker 1\n" });
      },
    );
  }
}

scenario("a process that exits while a worker thread is held waits for nobody", async (world) => {
  const way = "the process exits while its workers are in loops";
  world.onStarted(({ link }) => {
    world.welcome(link);
    link.stop({ run: 0, hold: true }).catch(() => {});
  });
  const { ended } = world.start(NODE, [PROGRAM, way]);
  // The threads are held before they have counted, and are abandoned.
  world.welcome((await world.next()).link);
  await new Promise((resolve) => setTimeout(resolve, 500));
  world.onStarted(() => {});
  const began = performance.now();
  for (const link of world.links) link.release();
  assert.is((await ended).status, 7);
  assert.ok(performance.now() - began < 5000);
});

for (const isHeld of [true, false]) {
  scenario(
    `a worker thread that is ${isHeld ? "held" : "running"} runs on when the server goes`,
    async (world) => {
      const target = await world.hold(NODE, "in a loop", { isThread: true });
      await target.link.stop({ run: 0, hold: true });
      if (isHeld) await target.main.stop({ run: 0, hold: true });
      else target.link.release();
      const before = target.count();
      await world.vanish();
      assert.is(await target.link.closed, "connection lost");
      await until(() => target.count() > before + 1000);
      target.child.kill();
      assert.equal(await target.ended, { status: null, signal: "SIGTERM", stdout: "", stderr: "" });
    },
  );
}

scenario("worker threads that the server does not welcome run when it goes", async (world) => {
  let arrived = 0;
  world.onStarted(() => void arrived++);
  const { ended } = world.start(NODE, [PROGRAM, "workers come and go"]);
  world.welcome((await world.next()).link);
  await until(() => arrived === 5);
  await world.vanish();
  const { status, stdout, stderr } = await ended;
  assert.equal([status, stdout.match(/worker 0/g)!.length, stderr], [0, 25, ""]);
});

scenario("a hold of a worker thread that nobody ends is given up", async (world) => {
  const target = await world.hold(NODE, "in a loop", { isThread: true, holdTimeout: 50 });
  for (let i = 1; i <= 2; i++) {
    await target.link.stop({ run: 0, hold: true });
    await until(() => world.expired === i);
    const before = target.count();
    await until(() => target.count() > before);
  }
});

ends.run();
