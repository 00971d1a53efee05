/** Several targets write at the same time, while other targets and instances come and go: nothing is lost. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, finish, NODES, Scene } from "./harness.ts";
import { DIRECT, FAULTS, type Measure, PATIENT } from "./measures.ts";

const writers = suite("writers");

/** The program, which is not compiled. */
const ONCE = fileURLToPath(new URL("../../../test/e2e/once.cjs", import.meta.url));

writers.before(() => {
  compile("writers");
});

interface Plan {
  readonly measure?: Measure;
  readonly node?: string;
  /** The number of services, or the kind of one service that serves several sockets. */
  readonly services: number | "threads" | "cluster";
  /** Words of an area, and how often each service runs its block in a round. @default {1_048_576, 100_000} */
  readonly words?: number;
  readonly count?: number;
  /** See `clients/writers.c`. @default {1, 0} */
  readonly instances?: number;
  readonly toggles?: number;
  /** Targets that come and go meanwhile, each in a way of `once.cjs`. @default {[]} */
  readonly visitors?: readonly string[];
}

async function serveSockets(scene: Scene, { services, node }: Plan): Promise<string[]> {
  const runtime = node ? { node } : {};
  if (services === "threads") {
    const { socket } = await scene.service("repeat", { ...runtime, place: services });
    return [0, 1, 2, 3].map((thread) => `${socket}-${thread}`);
  }
  if (services === "cluster") {
    const { socket } = await scene.service("repeat", { ...runtime, place: services });
    return [socket, socket, socket, socket];
  }
  const sockets: string[] = [];
  for (let i = 0; i < services; i++) {
    sockets.push((await scene.service("repeat", runtime)).socket);
  }
  return sockets;
}

async function check(plan: Plan): Promise<void> {
  const { measure = DIRECT, words = 1 << 20, count = 100_000, node = process.execPath } = plan;
  await using scene = new Scene();
  const server = await scene.serve(...PATIENT, ...measure.options);
  const sockets = await serveSockets(scene, plan);
  const figures = [words, count, plan.instances ?? 1, plan.toggles ?? 0].map(String);
  const command = [compile("writers"), scene.kcov, ...figures, ...sockets];
  const client = scene.start(command, { stdin: "pipe", env: measure.env });
  const ended = finish(client, 240_000);
  await Promise.race([once(client.stdout!, "data"), ended]);
  for (const way of plan.visitors ?? []) {
    const visitor = scene.start([...scene.run("visitor"), node, ONCE, way, "5"]);
    const { stderr } = await finish(visitor);
    assert.is(stderr, "");
  }
  client.stdin!.end();
  const { status, signal, stdout, stderr } = await ended;
  process.stdout.write(stdout.replace("ready\n", ""));
  assert.is(stderr, "");
  assert.is(status, 0, `${signal}`);
  assert.is(server.warnings(), "");
}

/** Visitors: programs, threads, and parents that wait synchronously for their child. */
const VISITORS = ["returns", "threads", "spawns", "returns", "threads", "spawns", "exits"];

writers("four services write into one area", () => check({ services: 4 }));

writers("four threads of one process write into one area", () => check({ services: "threads" }));

writers("four processes of a cluster write into one area", () => check({ services: "cluster" }));

for (const [name, node] of Object.entries(NODES)) {
  writers(`a service of ${name} that writes alone loses nothing to targets that come`, async () => {
    await check({ node, services: 1, count: 400_000, visitors: VISITORS });
  });
}

writers("services write while targets come and instances go", async () => {
  await check({ services: 2, instances: 3, toggles: 2, visitors: VISITORS });
});

writers("an area larger than the window is written while instances come and go", async () => {
  const visitors = VISITORS.slice(0, 3);
  await check({ services: 1, words: 4_000_000, count: 700_000, toggles: 1, visitors });
});

writers("threads write while targets come and instances go", async () => {
  await check({ services: "threads", instances: 2, toggles: 1, visitors: VISITORS });
});

// Nobody can hold a parent within spawnSync, so a read that comes meanwhile would wait in vain.
writers("what comes by faults is whole while targets come and instances go", async () => {
  const plan = { measure: FAULTS, count: 30_000, instances: 2, toggles: 1 };
  const visitors = VISITORS.filter((way) => way !== "spawns");
  await check({ ...plan, services: 2, visitors });
  await check({ ...plan, services: "threads", visitors });
});

writers.run();
