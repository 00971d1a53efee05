/** Targets, clients and memory when one target or client ends while probes write. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rounds } from "../rounds.ts";
import { scenarios } from "../scenarios.ts";
import { until } from "../until.ts";
import { assertExact } from "./exact_loop.ts";
import { compile, execute, finish, KCOVFS, NODES, Scene } from "./harness.ts";
import { DIRECT, FAULTS } from "./measures.ts";

const crash = suite("crashes while probes write");

/** The program, which is not compiled. */
const SPIN = fileURLToPath(new URL("../../../test/fixtures/programs/spin.cjs", import.meta.url));

crash.before(() => {
  for (const client of ["exactness", "poller", "pinger", "spinner"]) compile(client);
});

const scenario = scenarios(crash, () => new Scene());

/** The pids of the targets that have not ended, by name. */
async function pids(scene: Scene): Promise<ReadonlyMap<string, number>> {
  const rows = await scene.targets();
  return new Map(rows.filter(({ state }) => state !== "ended").map(({ name, pid }) => [name, pid]));
}

/** Starts a target that takes turns in an endless loop; returns its pid. */
async function spin(scene: Scene, node: string): Promise<number> {
  const target = scene.start([...scene.run("spin"), node, SPIN]);
  await Promise.race([once(target.stdout!, "data"), finish(target)]);
  return (await pids(scene)).get("spin")!;
}

/** Starts a client that has an area mapped and reads its count for so many seconds. */
async function poll(scene: Scene, seconds: number): Promise<ChildProcess> {
  const client = scene.start([compile("poller"), scene.kcov, String(seconds)]);
  await once(client.stdout!, "data");
  return client;
}

/** The folder of a server's areas, which the server holds open. */
function sharedFolderOf(server: ChildProcess): string {
  const fds = `/proc/${server.pid}/fd`;
  const links = readdirSync(fds).map((fd) => {
    try {
      return readlinkSync(join(fds, fd));
    } catch {
      // This was the descriptor of the folder that was read.
      return "";
    }
  });
  const path = links.find((link) => link.includes("/kcovfs-shared-"));
  assert.ok(path, links.join(" "));
  return path!.match(/^.*\/kcovfs-shared-[^/]+/)![0];
}

/** The areas that a process has mapped. */
function areasIn(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.filter((line) => line.includes("/kcovfs-shared-"));
}

async function assertServes(socket: string): Promise<void> {
  const { stdout } = await execute([compile("pinger"), socket, "100"], { timeout: 10_000 });
  assert.match(stdout, /100 answers/);
}

for (const [name, node] of Object.entries(NODES)) {
  scenario(`a killed server's clients and targets on ${name} go on without it`, async (scene) => {
    const server = await scene.serve(...DIRECT.options);
    const folder = sharedFolderOf(server);
    const { socket } = await scene.service("paths", { node });
    const thread = await scene.service("paths", { node, place: "worker", target: "thread" });
    await spin(scene, node);
    const targets = await pids(scene);
    const client = await poll(scene, 3);
    for (const pid of targets.values()) assert.ok(areasIn(pid).length > 0);
    server.kill("SIGKILL");
    const { status, stdout } = await finish(client);
    assert.is(status, 0);
    assert.match(stdout, /reads \d+ .*0xffffffff/);
    await until(() => !existsSync(folder), "no folder");
    for (const [name, pid] of targets) {
      await until(() => areasIn(pid).length === 0, `no areas in ${name}`);
    }
    await assertServes(socket);
    await assertServes(thread.socket);
    await finish(server);
  });

  scenario(`a target on ${name} that is detached writes no more, in a loop too`, async (scene) => {
    await scene.serve(...DIRECT.options);
    const { socket } = await scene.service("paths", { node, target: "service" });
    const spinning = await spin(scene, node);
    const client = await poll(scene, 2);
    for (const target of ["spin", "service"]) {
      const { status, stderr } = await scene.command("detach", target);
      assert.is(status, 0, stderr);
    }
    assert.equal(areasIn(spinning), []);
    await assertServes(socket);
    assert.is((await finish(client)).status, 0);
    const { stdout } = await execute([compile("poller"), scene.kcov, "0.1", socket, "5"]);
    assert.match(stdout, /pcs\s*$/);
  });
}

for (const [which, measure] of Object.entries({ "are written": DIRECT, "fault": FAULTS })) {
  scenario(`clients killed at any moment while areas ${which} leave nothing`, async (scene) => {
    const server = await scene.serve(...measure.options);
    const folder = sharedFolderOf(server);
    const { socket } = await scene.service("paths");
    for (let i = 0; i < rounds(12, { long: 30 }); i++) {
      const command = [compile("exactness"), scene.kcov, socket, "1000000"];
      const client = scene.start(command, { env: measure.env });
      await sleep(15 + (i * 7) % 30);
      client.kill("SIGKILL");
      assert.is((await finish(client, 5000)).signal, "SIGKILL");
    }
    const areas = () => readdirSync(folder).filter((name) => name.startsWith("area"));
    if (measure === DIRECT) await until(() => areas().length === 0, "no areas");
    await assertExact({ kcov: scene.kcov, socket, requests: 300, measure });
    server.kill("SIGTERM");
    assert.is((await finish(server)).status, 0);
    assert.not.ok(existsSync(folder));
  });

  scenario(`targets killed while areas ${which} take nobody with them`, async (scene) => {
    await scene.serve("--collect-timeout", "1000", ...measure.options);
    const client = await poll(scene, 8);
    for (let i = 0; i < rounds(4, { long: 8 }); i++) {
      const target = await spin(scene, process.execPath);
      process.kill(target, "SIGKILL");
    }
    client.kill("SIGTERM");
    await finish(client);
    const { socket } = await scene.service("paths");
    await assertExact({ kcov: scene.kcov, socket, requests: 300, measure });
  });

  scenario(`kcovfs unmount ends a server while areas ${which}`, async (scene) => {
    const server = await scene.serve(...measure.options);
    const folder = sharedFolderOf(server);
    const { socket } = await scene.service("paths");
    const spinning = await spin(scene, process.execPath);
    const client = await poll(scene, 2);
    const { status, stderr } = await execute([KCOVFS, "unmount", scene.mount]);
    assert.is(status, 0, stderr);
    assert.is((await finish(server, 10_000)).status, 0);
    const ended = await finish(client, 10_000);
    if (measure === DIRECT) assert.is(ended.status, 0);
    assert.not.ok(existsSync(folder));
    await until(() => areasIn(spinning).length === 0, "no areas");
    await assertServes(socket);
  });
}

scenario("a server whose clients read what probes write refuses to attach", async (scene) => {
  await scene.serve(...DIRECT.options);
  const { pid, socket } = await scene.service("paths", { isPlain: true });
  const { status, stderr } = await scene.command("attach", String(pid));
  assert.is(status, 1);
  assert.match(stderr, /^kcovfs: Cannot .*what runs already has no probes.*\n$/);
  await assertServes(socket);
});

crash.run();
