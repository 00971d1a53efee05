/** How long a client waits when targets die or hang: this measures time, and runs alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../hostile/random.ts";
import { rounds } from "../rounds.ts";
import { scenarios } from "../scenarios.ts";
import { assertRan, assertWell } from "./crashed.ts";
import { compile, execute, finish, Scene } from "./harness.ts";

const crash = suite("crashes, and how long clients wait");

crash.before(() => {
  for (const client of ["exactness", "poller"]) compile(client);
});

const scenario = scenarios(crash, () => new Scene());

scenario("targets killed at any moment never keep a client waiting", async (scene) => {
  const server = await scene.serve("--collect-timeout", "4000");
  const poller = finish(scene.start([compile("poller"), scene.kcov, "8"]), 30_000);
  const random = new Random(42);
  for (let i = 0; i < rounds(6, { long: 12 }); i++) {
    const { child } = await scene.service("paths");
    await sleep(random.below(100));
    process.kill(-child.pid!, "SIGKILL");
    await finish(child, 5000);
  }
  const { status, stdout } = await poller;
  assert.is(status, 0);
  assert.ok(Number(stdout.match(/longest_ms (\d+)/)![1]) < 3500, stdout.slice(0, 80));
  assert.ok((await scene.targets()).every(({ state }) => state === "ended"));
  const { socket } = await scene.service("paths");
  await assertWell(scene, socket);
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
  await assertWell(scene, socket);
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

crash.run();
