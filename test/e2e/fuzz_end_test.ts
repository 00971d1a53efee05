/** `kcovfs fuzz` ends with its command, whatever that has started. */
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DENO, execute, finish, type Finished, KCOVFS, Scene } from "./harness.ts";

const fuzz = suite<{ scene: Scene }>("kcovfs fuzz, its end");
const NODE = process.execPath;
/** ms; processes that are left live much longer. */
const SOON = 20_000;

fuzz.before((context) => {
  context.scene = new Scene();
});

fuzz.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** Shell code that starts a Node in the background and waits until its program has run, however slow that is. */
function untilRun(scene: Scene, program: string): string {
  const ready = join(mkdtempSync(join(scene.folder, "ready-")), "file");
  const code = `${program}; require("fs").writeFileSync("${ready}", "")`;
  return `${NODE} -e '${code}' & A=$!; until [ -e ${ready} ]; do sleep 0.1; done`;
}
/** The same for a child to have become `sleep`. */
const untilSleeps = (pid: string) =>
  `until grep -q '^Name:.sleep' /proc/${pid}/status; do sleep 0.1; done`;

function run(
  scene: Scene,
  script: string,
  ...options: string[]
): Promise<Finished> {
  const command = [
    KCOVFS,
    "fuzz",
    "--state",
    scene.state,
    ...options,
    "--",
    "sh",
    "-c",
    script,
  ];
  return execute(command, { timeout: SOON });
}

/** Whether a process runs: its parent may not have waited for it yet. */
function lives(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid.trim()}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return false;
  }
}

fuzz(
  "a process in the background is ended with the command",
  async ({ scene }) => {
    const { status, signal, stdout, stderr } = await run(
      scene,
      "sleep 300 & echo $!",
    );
    assert.equal([status, signal], [0, null]);
    assert.match(
      stderr,
      /^kcovfs: probes.*\nkcovfs: no process became a target: .*\nkcovfs: the command has ended; ended what it left running: 1 process \(.*\)\n$/,
    );
    assert.not.ok(lives(stdout));
  },
);

fuzz("what was a target and has ended is not told of as missing", async ({ scene }) => {
  const { status, stderr } = await run(scene, `${NODE} -e 0`);
  assert.is(status, 0);
  assert.match(stderr, /^kcovfs: probes[^\n]*\n$/);
});

fuzz(
  "targets are ended by SIGTERM, and named, and the status is the command's",
  async ({ scene }) => {
    const service = `process.on("SIGTERM", () => { console.log("told"); process.exit() });
    setInterval(() => {}, 1000); console.log("ready")`;
    const script = `setsid ${untilRun(scene, service)}; exit 7`;
    const { status, stdout, stderr } = await run(scene, script);
    assert.is(status, 7);
    assert.is(stdout, "ready\ntold\n");
    assert.match(stderr, /ended what it left running: 1 target \(node\)/);
    assert.not.match(stderr, /SIGKILL/);
  },
);

fuzz(
  "a target that ignores SIGTERM, and a stopped one, are killed",
  async ({ scene }) => {
    const service =
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log(process.pid)';
    const script = `${untilRun(scene, service)}; kill -STOP $A; kill -9 $$`;
    const { status, stdout, stderr } = await run(scene, script);
    assert.is(status, 128 + 9);
    assert.match(
      stderr,
      /1 target \(node\); 1 did not end by SIGTERM and took SIGKILL/,
    );
    assert.not.ok(lives(stdout));
  },
);

fuzz("a Deno is ended, too", async ({ scene }) => {
  const script = `${DENO} eval 'setInterval(() => {}, 1000)' & sleep 2`;
  const { status, signal, stderr } = await run(scene, script);
  assert.equal([status, signal], [0, null]);
  assert.match(stderr, /ended what it left running: .*deno/);
});

fuzz(
  "a process with a mount namespace of its own holds nothing up",
  async ({ scene }) => {
    const { status, signal, stdout } = await run(
      scene,
      `unshare -m sleep 300 & ${untilSleeps("$!")}; echo $!`,
    );
    assert.equal([status, signal], [0, null]);
    process.kill(Number(stdout), "SIGKILL");
  },
);

fuzz(
  "a kcovfs fuzz in it ends what its own command has left",
  async ({ scene }) => {
    const inner =
      `${KCOVFS} fuzz --state ${scene.state} -- sh -c "sleep 300 & echo \\$!; sleep 299"`;
    const { status, signal, stdout } = await run(scene, `${inner} & sleep 4`);
    assert.equal([status, signal], [0, null]);
    assert.not.ok(lives(stdout));
  },
);

fuzz(
  "with --keep-running it serves what is left until that ends",
  async ({ scene }) => {
    const began = performance.now();
    const { status, stdout, stderr } = await run(
      scene,
      `{ sleep 3; cat $KCOVFS_MOUNT/kcovfs/targets; } & exit 5`,
      "--keep-running",
    );
    assert.is(status, 5);
    assert.match(stderr, /^kcovfs: probes[^\n]*\nkcovfs: no process became a target: [^\n]*\n$/);
    assert.match(stdout, /^ID +NAME/);
    assert.ok(performance.now() - began > 3000);
  },
);

fuzz(
  "a signal is for the command, and wakes one that is stopped",
  async ({ scene }) => {
    for (
      const [signal, status] of [["SIGTERM", 143], ["SIGINT", 130], [
        "SIGHUP",
        129,
      ]] as const
    ) {
      const script = "echo ready; kill -STOP $$; sleep 300";
      const child = scene.start([
        KCOVFS,
        "fuzz",
        "--state",
        scene.state,
        "--",
        "sh",
        "-c",
        script,
      ]);
      await new Promise((resolve) => child.stdout!.once("data", resolve));
      await sleep(200);
      child.kill(signal);
      assert.is((await finish(child, SOON)).status, status, signal);
    }
  },
);

fuzz(
  "a signal after the command's end cuts the grace short, and not the end",
  async ({ scene }) => {
    const service = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
    const script = `${untilRun(scene, service)}; echo over`;
    const child = scene.start([
      KCOVFS,
      "fuzz",
      "--state",
      scene.state,
      "--",
      "sh",
      "-c",
      script,
    ]);
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    await sleep(300);
    child.kill("SIGTERM");
    const { status, stderr } = await finish(child, SOON);
    assert.is(status, 0);
    assert.match(stderr, /took SIGKILL/);
  },
);

fuzz(
  "a command that there is not, or that cannot be executed, is said so",
  async ({ scene }) => {
    const start = (name: string) =>
      execute([KCOVFS, "fuzz", "--state", scene.state, "--", name], {
        timeout: SOON,
      });
    const [none, file] = [
      await start("no-such-command"),
      await start("/etc/passwd"),
    ];
    assert.is(none.status, 127);
    assert.is(
      none.stderr,
      "kcovfs: Cannot run no-such-command: no such command in PATH\n",
    );
    assert.is(file.status, 126);
  },
);

fuzz.run();
