import type { ChildProcess } from "node:child_process";
import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { askServer } from "../../src/messages/control_client.ts";
import { Random } from "../hostile/random.ts";
import { rounds } from "../rounds.ts";
import { scenarios } from "../scenarios.ts";
import { until } from "../until.ts";
import { assertRan, assertWell } from "./crashed.ts";
import { compile, execute, finish, KCOVFS, Scene } from "./harness.ts";

const crash = suite("crashes");

crash.before(() => {
  for (const client of ["exactness", "poller", "behaviour"]) compile(client);
});

const scenario = scenarios(crash, () => new Scene());

/** Starts a client that reads without end; resolves when it has begun. */
async function startReading(scene: Scene, socket: string): Promise<ChildProcess> {
  const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
  await until(async () => {
    const { total } = await askServer(scene.control, "status");
    return (total?.executions ?? 0) > 3;
  });
  return client;
}

scenario("clients killed at any moment of the loop leave nothing behind", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("paths");
  const random = new Random(42);
  for (let i = 0; i < rounds(15, { long: 40 }); i++) {
    const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
    await sleep(30 + random.below(20));
    client.kill("SIGKILL");
    assert.is((await finish(client, 5000)).signal, "SIGKILL");
  }
  await assertWell(scene, socket);
});

scenario("clients killed amid ioctls leave nothing behind", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("paths");
  const random = new Random(42);
  for (let i = 0; i < rounds(15, { long: 30 }); i++) {
    const client = scene.start([
      compile("behaviour"),
      scene.kcov,
      socket,
      "disabled_before_reading",
    ]);
    await sleep(2 + random.below(20));
    client.kill("SIGKILL");
    await finish(client, 5000);
  }
  await assertWell(scene, socket);
});

scenario("a server ends though another mount namespace has a copy of its mount", async (scene) => {
  const server = await scene.serve();
  const copy = scene.start(["unshare", "--mount", "--propagation", "private", "sleep", "60"]);
  const namespace = (pid: number | "self") => readlinkSync(`/proc/${pid}/ns/mnt`);
  await until(() => namespace(copy.pid!) !== namespace("self"));
  server.kill("SIGTERM");
  assert.is((await finish(server, 10_000)).status, 0);
});

scenario("a service stuck in an endless loop is still collected from", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("stuck");
  const { status, stdout } = await execute([compile("poller"), scene.kcov, "1", socket, "1"]);
  assert.is(status, 0);
  const pcs = stdout.match(/0x\w+/g) ?? [];
  assertRan(scene.symbolize(pcs), "spin");
});

scenario("a service inside Atomics.wait is collected from and held all the same", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("stuck");
  const { status, stdout } = await execute([compile("poller"), scene.kcov, "3", socket, "4"]);
  assert.is(status, 0);
  assertRan(scene.symbolize(stdout.match(/0x\w+/g) ?? []), "wait");
  // The poller's last read may hold it a moment longer.
  await until(async () => (await scene.targets())[0].state === "running");
});

scenario("a service that crashes is reported as gone", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("stuck");
  const { status } = await execute([compile("poller"), scene.kcov, "1", socket, "3"]);
  assert.is(status, 0);
  const [{ state, note }] = await scene.targets();
  assert.is(state, "ended");
  assert.is(note, "killed by SIGABRT");
});

scenario("a server that is killed leaves no client hanging and no target held", async (scene) => {
  for (let round = 0; round < rounds(3, { long: 6 }); round++) {
    const server = await scene.serve();
    const { socket, child } = await scene.service("paths");
    const client = await startReading(scene, socket);
    await sleep(round * 37);
    server.kill("SIGKILL");
    const { status, signal } = await finish(client, 10_000);
    assert.ok(signal === "SIGBUS" || status === 1, `the client: ${status} ${signal}`);
    await finish(server, 10_000);
    await scene.unmounted();
    const { stdout } = await execute([compile("pinger"), socket, "100"], { timeout: 10_000 });
    assert.match(stdout, /100 answers/);
    process.kill(-child.pid!, "SIGTERM");
    await finish(child, 5000);
  }
  await scene.serve();
  const { socket } = await scene.service("paths");
  await assertWell(scene, socket);
  const { stdout } = await execute([KCOVFS, "symbolize", "-all", "--state", scene.state]);
  assert.ok(stdout.split("\n").length > 400, "the symbols are all there");
});

scenario("a server that is told to end does so while a client reads", async (scene) => {
  const server = await scene.serve();
  const { socket } = await scene.service("paths");
  const client = await startReading(scene, socket);
  server.kill("SIGTERM");
  assert.is((await finish(server, 10_000)).status, 0);
  await finish(client, 10_000);
  assert.not.ok(await scene.isMounted());
  const { stdout } = await execute([compile("pinger"), socket, "100"], { timeout: 10_000 });
  assert.match(stdout, /100 answers/);
});

scenario("kcovfs unmount ends a server whose mount is in use", async (scene) => {
  const server = await scene.serve();
  const { socket } = await scene.service("paths");
  const client = await startReading(scene, socket);
  const { status, stderr } = await execute([KCOVFS, "unmount", scene.mount]);
  assert.is(status, 0, stderr);
  assert.match(stderr, /was in use/);
  assert.is((await finish(server, 10_000)).status, 0);
  await finish(client, 10_000);
});

scenario("a dead mount is cleared by the next mount in its place", async (scene) => {
  const server = await scene.serve();
  // Without its watchdog nobody unmounts.
  const { stdout } = await execute(["pgrep", "-P", String(server.pid), "-f", "watchdog"]);
  process.kill(Number(stdout), "SIGKILL");
  server.kill("SIGKILL");
  await finish(server, 5000);
  assert.ok(await scene.isMounted());
  await scene.serve();
  const { socket } = await scene.service("paths");
  await assertWell(scene, socket);
});

crash.run();
