import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, finish, KCOVFS, Scene, SERVICES } from "./harness.ts";

const crash = suite("crashes");

crash.before(() => {
  for (const client of ["exactness", "poller", "behaviour"]) compile(client);
});

/** A sentence about one scene, which is cleaned up however it ends. */
function scenario(sentence: string, run: (scene: Scene) => Promise<void>): void {
  if (!sentence.includes(process.argv[2] ?? "")) return;
  crash(sentence, async () => {
    await using scene = new Scene();
    await run(scene);
  });
}

/** All is well: a client finds each of its paths, 300 times. */
async function assertExact(scene: Scene, socket: string): Promise<void> {
  const { status, stdout, stderr } = await execute(
    [compile("exactness"), scene.kcov, socket, "300"],
  );
  assert.is(stderr, "");
  assert.match(stdout, /requests 300 wrong 0/);
  assert.is(status, 0);
}

/** Numbers between 0 and 1 that are the same in each run. */
function* pseudoRandom(): Generator<number> {
  for (let x = 42;; x = (Math.imul(x, 1664525) + 1013904223) >>> 0) yield x / 2 ** 32;
}

scenario("clients killed at any moment of the loop leave nothing behind", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("paths");
  const random = pseudoRandom();
  for (let i = 0; i < 40; i++) {
    const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
    await sleep(30 + random.next().value! * 20);
    client.kill("SIGKILL");
    assert.is((await finish(client, 5000)).signal, "SIGKILL");
  }
  await assertExact(scene, socket);
});

scenario("clients killed amid ioctls leave nothing behind", async (scene) => {
  await scene.serve();
  const { socket } = await scene.service("paths");
  const random = pseudoRandom();
  for (let i = 0; i < 30; i++) {
    const client = scene.start([
      compile("behaviour"),
      scene.kcov,
      socket,
      "disabled_before_reading",
    ]);
    await sleep(2 + random.next().value! * 20);
    client.kill("SIGKILL");
    await finish(client, 5000);
  }
  await assertExact(scene, socket);
});

scenario("a server ends though another mount namespace has a copy of its mount", async (scene) => {
  const server = await scene.serve();
  const copy = scene.start(["unshare", "--mount", "--propagation", "private", "sleep", "60"]);
  // It has a mount namespace of its own by then.
  while (readlinkSync(`/proc/${copy.pid}/ns/mnt`) === readlinkSync("/proc/self/ns/mnt")) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.kill("SIGTERM");
  assert.is((await finish(server, 10_000)).status, 0);
});

scenario("targets killed at any moment never keep a client waiting", async (scene) => {
  const server = await scene.serve("--collect-timeout", "1000");
  const poller = finish(scene.start([compile("poller"), scene.kcov, "8"]), 30_000);
  const random = pseudoRandom();
  for (let i = 0; i < 12; i++) {
    const { child } = await scene.service("paths");
    await sleep(random.next().value! * 100);
    process.kill(-child.pid!, "SIGKILL");
    await finish(child, 5000);
  }
  const { status, stdout } = await poller;
  assert.is(status, 0);
  assert.ok(Number(stdout.match(/longest_ms (\d+)/)![1]) < 900, stdout.slice(0, 80));
  assert.ok((await scene.targets()).every(({ state }) => state === "ended"));
  const { socket } = await scene.service("paths");
  await assertExact(scene, socket);
  assert.is(server.exitCode, null);
});

scenario("a target that is stopped is left out, and is back when it goes on", async (scene) => {
  const server = await scene.serve("--collect-timeout", "1000");
  const { socket } = await scene.service("paths");
  const [{ pid }] = await scene.targets();
  process.kill(pid, "SIGSTOP");
  const { status, stdout } = await execute([compile("poller"), scene.kcov, "3"]);
  const { stdout: listed } = await scene.command("ps");
  process.kill(pid, "SIGCONT");
  assert.is(status, 0);
  const [reads, longest] = stdout.match(/\d+/g)!.map(Number);
  assert.ok(reads > 10, stdout.slice(0, 80));
  assert.ok(longest < 2500, stdout.slice(0, 80));
  assert.match(listed, /late \(no answer within 1000 ms/);
  assert.match(server.warnings(), /Target paths \(pid \d+\): no answer within 1000 ms/);
  await assertExact(scene, socket);
  assert.is((await scene.targets())[0].state, "running");
});

/** A function of `stuck.cjs` is among the blocks. */
function assertRan(blocks: readonly string[], name: string): void {
  const file = join(SERVICES, "stuck.cjs");
  const lines = readFileSync(file, "utf8").split("\n");
  const line = lines.findIndex((text) => text.startsWith(`function ${name}(`)) + 1;
  assert.ok(blocks.some((block) => block.startsWith(`${file}:${line}.`)), blocks.join("\n"));
}

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
  assert.is((await scene.targets())[0].state, "running");
});

scenario(
  "a service inside a call that cannot be interrupted keeps nobody waiting",
  async (scene) => {
    await scene.serve("--collect-timeout", "200");
    const { socket } = await scene.service("stuck");
    const { status, stdout } = await execute([compile("poller"), scene.kcov, "5", socket, "2"]);
    assert.is(status, 0);
    const [, longest] = stdout.match(/\d+/g)!.map(Number);
    assert.ok(longest < 1500, stdout.slice(0, 80));
    assertRan(scene.symbolize(stdout.match(/0x\w+/g) ?? []), "block");
  },
);

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
  for (let round = 0; round < 6; round++) {
    const server = await scene.serve();
    const { socket, child } = await scene.service("paths");
    const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
    await sleep(300 + round * 37);
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
  await assertExact(scene, socket);
  const { stdout } = await execute([KCOVFS, "symbolize", "-all", "--state", scene.state]);
  assert.ok(stdout.split("\n").length > 400, "the symbols are all there");
});

scenario("a server that is told to end does so while a client reads", async (scene) => {
  const server = await scene.serve();
  const { socket } = await scene.service("paths");
  const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
  await sleep(500);
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
  const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
  await sleep(500);
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
  await assertExact(scene, socket);
});

crash.run();
