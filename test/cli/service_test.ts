/** The parts of kcovfs as a systemd service that can be tested without systemd. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withCommand } from "../../src/cli/service_files.ts";
import { compile, execute, finish, KCOVFS, lineWith, Scene } from "../e2e/harness.ts";

const service = suite("cli/service");

/** The files below a scene's folder, which stands for a machine's root. */
function filesOf({ folder }: Scene): { unit: string; settings: string } {
  return {
    unit: join(folder, "etc/systemd/system/kcovfs.service"),
    settings: join(folder, "etc/default/kcovfs"),
  };
}

function install(scene: Scene, ...options: string[]) {
  return execute([KCOVFS, "install-service", "--root", scene.folder, ...options]);
}

/** The command of the installed unit, with the settings put in. */
function execStart(scene: Scene, options: readonly string[]): string[] {
  const [, line] = readFileSync(filesOf(scene).unit, "utf8").match(/^ExecStart=(.*)$/m)!;
  return line.split(" ").flatMap((word) => {
    if (word === "$KCOVFS_OPTIONS") return options;
    if (word === "${KCOVFS_MOUNT}") return scene.mount;
    return word.replace("/proc/1/", `/proc/${process.pid}/`);
  });
}

service("'install-service' writes a unit that runs this kcovfs, and settings", async () => {
  await using scene = new Scene();
  const { unit, settings } = filesOf(scene);
  const installed = await install(scene);
  assert.is(installed.stderr, "");
  assert.ok(installed.stdout.includes(unit) && installed.stdout.includes(settings));
  assert.match(installed.stdout, /systemctl enable --now kcovfs/);
  assert.equal(execStart(scene, []).slice(0, 3), [process.execPath, KCOVFS, "mount"]);
  assert.match(readFileSync(settings, "utf8"), /^KCOVFS_OPTIONS=$/m);
});

service("'install-service --undo' removes what was written, but for changed settings", async () => {
  await using scene = new Scene();
  const { unit, settings } = filesOf(scene);
  await install(scene);
  assert.is((await install(scene, "--undo")).status, 0);
  assert.equal([unit, settings].filter(existsSync), []);
  await install(scene);
  appendFileSync(settings, "KCOVFS_OPTIONS=--collector trace\n");
  assert.match((await install(scene)).stdout, new RegExp(`keeps ${settings}`));
  assert.match((await install(scene, "--undo")).stdout, new RegExp(`keeps ${settings}`));
  assert.equal([unit, settings].filter(existsSync), [settings]);
  assert.match(readFileSync(settings, "utf8"), /--collector trace/);
});

service("'install-service --dry-run' prints it all and writes nothing", async () => {
  await using scene = new Scene();
  const { unit, settings } = filesOf(scene);
  const { stdout } = await install(scene, "--dry-run");
  assert.match(stdout, /^ {2}ExecStart=\S+node \S+kcovfs mount/m);
  assert.ok(!existsSync(unit) && !existsSync(settings));
  await install(scene);
  assert.match((await install(scene, "--dry-run", "--undo")).stdout, /\(dry run\) removes/);
  assert.ok(existsSync(unit) && existsSync(settings));
});

service("who may not write is told to use sudo", async () => {
  const { status, stderr } = await execute(
    ["setpriv", "--reuid=65534", "--clear-groups", KCOVFS, "install-service", "--root", "/root"],
  );
  assert.match(stderr, /^kcovfs: Cannot install kcovfs\.service: .*; run with sudo\n$/);
  assert.is(status, 1);
});

service("odd paths are quoted as systemd reads them", () => {
  const unit = "ExecStart=/usr/bin/kcovfs mount ${KCOVFS_MOUNT}\n";
  assert.is(
    withCommand(unit, ["/opt/my node", '/srv/100%/$a "b"\\kcovfs']),
    'ExecStart="/opt/my node" "/srv/100%%/$$a \\"b\\"\\\\kcovfs" mount ${KCOVFS_MOUNT}\n',
  );
});

service("systemd takes the unit, and its exposure is at most 4.0", async () => {
  await using scene = new Scene();
  await install(scene);
  const { unit } = filesOf(scene);
  const verified = await execute(["systemd-analyze", "verify", "--man=no", unit]);
  assert.equal([verified.status, verified.stdout, verified.stderr], [0, "", ""]);
  const { stdout } = await execute(["systemd-analyze", "security", "--offline=true", unit]);
  const [, level] = stdout.match(/exposure level for kcovfs\.service: ([\d.]+)/)!;
  assert.ok(Number(level) <= 4, level);
});

/** Starts a listener that prints the messages which systemd would get. */
async function listen(scene: Scene, address: string): Promise<ChildProcess> {
  const listener = scene.start([compile("notify_listener"), address]);
  await lineWith(listener, "listening");
  return listener;
}

service("the service's command says when it is ready, and when it stops", async () => {
  await using scene = new Scene();
  await install(scene);
  const shared = shareMounts(scene);
  try {
    mkdirSync(scene.mount);
    for (const address of [join(scene.folder, "notify"), `@kcovfs-test-${process.pid}`]) {
      const listener = await listen(scene, address);
      const ready = lineWith(listener, "READY=1");
      const stopping = lineWith(listener, "STOPPING=1");
      const server = scene.start(
        ["unshare", "--mount", "--propagation", "slave"].concat(
          execStart(scene, ["--state", scene.state]),
        ),
        { env: { NOTIFY_SOCKET: address } },
      );
      const ended = finish(server).then(({ stderr }) => Promise.reject(new Error(stderr)));
      ended.catch(() => {});
      assert.is(await Promise.race([ready, ended]), `READY=1 STATUS=mounted on ${scene.mount}`);
      assert.ok(await scene.isMounted(), "it is not seen outside of the service's namespace");
      server.kill("SIGTERM");
      await stopping;
      assert.is((await finish(server)).status, 0);
      assert.not(await scene.isMounted());
      listener.kill();
    }
  } finally {
    shared.end();
  }
});

service("a service that was killed leaves no mount in the machine's namespace", async () => {
  await using scene = new Scene();
  await install(scene);
  const shared = shareMounts(scene);
  try {
    mkdirSync(scene.mount);
    const server = scene.start(
      ["unshare", "--mount", "--propagation", "slave"].concat(
        execStart(scene, ["--state", scene.state]),
      ),
    );
    await lineWith(server, "mounted on");
    assert.ok(await scene.isMounted());
    server.kill("SIGKILL");
    await finish(server);
    await scene.unmounted();
  } finally {
    shared.end();
  }
});

service("a namespace whose mounts are not seen is refused, and nothing is left in it", async () => {
  await using scene = new Scene();
  await install(scene);
  mkdirSync(scene.mount);
  const { status, stderr } = await execute(
    ["unshare", "--mount", "--propagation", "private"].concat(
      execStart(scene, ["--state", scene.state]),
    ),
  );
  assert.match(stderr, /^kcovfs: Cannot mount on \S+: .* not seen here; .*make-rshared.*\n$/);
  assert.is(status, 1);
  assert.not(await scene.isMounted());
});

/** Lets namespaces that are made from now on see the mounts in a scene's folder, as systemd does. */
function shareMounts({ folder }: Scene): { end: () => void } {
  execFileSync("mount", ["--bind", folder, folder]);
  execFileSync("mount", ["--make-shared", folder]);
  return { end: () => execFileSync("umount", ["-l", folder]) };
}

service.run();
