/** kcovfs as a service of a running systemd. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { skip } from "../skip.ts";
import { compile, KCOVFS, lineWith, Scene, SERVICES } from "./harness.ts";
import { Machine } from "./machine.ts";
import { COUNTS, DIRECT } from "./measures.ts";

interface Context {
  readonly scene: Scene;
  readonly machine: Machine;
}

const service = suite<{ -readonly [K in keyof Context]: Context[K] }>("service");

const MOUNT = "/run/kcovfs/mnt";
/** The user of targets and clients. */
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const OPTIONS = "--uid 65534 --gid 65534";

const obstacle = await Machine.obstacle();

service.before(async (context) => {
  if (obstacle) return;
  compile("exactness");
  const scene = context.scene = new Scene();
  // For sockets of the user nobody.
  chmodSync(scene.folder, 0o777);
  context.machine = await Machine.start(scene, { settings: `KCOVFS_OPTIONS=${OPTIONS}\n` });
});

service.after(async ({ scene, machine }) => {
  await machine?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
});

/** A sentence about the service, where a systemd can run; elsewhere `cli/service_test.ts` verifies the unit. */
function scenario(sentence: string, run: (context: Context) => Promise<void>): void {
  if (obstacle) skip(service, { sentence, reason: obstacle });
  else service(sentence, run);
}

/** Starts nobody's service on the machine; returns its socket. */
async function startService(
  { scene, machine }: Context,
  options: { name: string; isTarget: boolean },
): Promise<string> {
  const { name, isTarget } = options;
  const socket = join(scene.folder, name);
  const run = isTarget ? [KCOVFS, "run", "--mount", MOUNT, "--name", name, "--"] : [];
  const node = [process.execPath, join(SERVICES, "serve.cjs"), "paths", socket];
  await lineWith(scene.start(machine.command(...NOBODY, ...run, ...node)), "ready");
  return socket;
}

/** Nobody's client finds each of its paths. */
async function assertExact(machine: Machine, socket: string, measure = DIRECT): Promise<void> {
  const env = Object.entries(measure.env).map(([name, value]) => `${name}=${value}`);
  const { status, stdout, stderr } = await machine.run(
    ...[...NOBODY, "env", ...env, compile("exactness"), `${MOUNT}/kcov`, socket, "100"],
  );
  assert.is(stderr, "");
  assert.match(stdout, /requests 100 wrong 0/);
  assert.is(status, 0);
}

async function targets(machine: Machine): Promise<TargetRow[]> {
  const { stdout } = await machine.run(KCOVFS, "ps", "--all", "--mount", MOUNT, "--json");
  return JSON.parse(stdout).filter(({ state }: TargetRow) => state === "running");
}

scenario("it is ready when everybody on the machine sees the mount", async ({ machine }) => {
  assert.equal(machine.mounts(), [MOUNT]);
  assert.is(await machine.property("StatusText"), `mounted on ${MOUNT}`);
});

scenario("what it may do is enough for another user's clients and targets", async (context) => {
  const { machine } = context;
  const socket = await startService(context, { name: "run", isTarget: true });
  await assertExact(machine, socket);
});

scenario("what it may do is enough to attach to another user's process", async (context) => {
  const { machine } = context;
  await machine.run(KCOVFS, "detach", "--mount", MOUNT, "run");
  const socket = await startService(context, { name: "attached", isTarget: false });
  const { stdout: pid } = await machine.run("pgrep", "--newest", "--full", socket);
  const attached = await machine.run(
    ...[KCOVFS, "attach", "--mount", MOUNT, "--name", "attached", pid.trim()],
  );
  assert.is(attached.status, 0, attached.stderr);
  assert.equal((await targets(machine)).map(({ name, link }) => [name, link]), [
    ["attached", "agent"],
  ]);
  await assertExact(machine, socket, COUNTS);
});

scenario("when it is killed it is started again, on a mount of its own", async (context) => {
  const { machine } = context;
  const pid = await machine.property("MainPID");
  await machine.run("kill", "-KILL", pid);
  await machine.until(async () => await machine.property("NRestarts") === "1");
  await machine.until(() => machine.isActive());
  assert.equal(machine.mounts(), [MOUNT]);
  await assertExact(machine, await startService(context, { name: "restarted", isTarget: true }));
});

scenario("when its watchdog is killed with it, systemd removes the mount", async ({ machine }) => {
  await machine.run("systemctl", "kill", "--signal=KILL", "kcovfs");
  await machine.until(async () => await machine.property("NRestarts") === "2");
  await machine.until(() => machine.isActive());
  assert.equal(machine.mounts(), [MOUNT]);
});

scenario("what it may do is enough for probes, and for passthrough", async (context) => {
  const { scene, machine } = context;
  const settings = `KCOVFS_OPTIONS=${OPTIONS} --collector trace\n`;
  writeFileSync(join(scene.folder, "default/kcovfs"), settings);
  assert.is((await machine.run("systemctl", "restart", "kcovfs")).status, 0);
  const socket = await startService(context, { name: "probed", isTarget: true });
  const [{ collector, hold }] = await targets(machine);
  assert.equal([collector, hold], ["trace", "unneeded"]);
  await assertExact(machine, socket);
});

scenario("when it is stopped no mount is left, and targets go on", async ({ machine }) => {
  const [{ pid }] = await targets(machine);
  assert.is((await machine.run("systemctl", "stop", "kcovfs")).status, 0);
  assert.equal(machine.mounts(), []);
  assert.is(await machine.property("Result"), "success");
  assert.is((await machine.run("kill", "-0", String(pid))).status, 0);
});

service.run();
