/** Servers that share a machine, but do not see the same of it, leave each other alone. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KCOVFS, lineWith, Scene } from "../e2e/harness.ts";
import { RUN_PLACE } from "../../src/messages/run_folder.ts";
import { isolate } from "./isolated.ts";

isolate();

const several = suite("servers that share /run");

/** A pid namespace of its own, with its own `/proc`; it ends with the command. */
const CONTAINER = [
  "unshare",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];

/** Starts a server whose mount is `name`; resolves when it has printed that it is mounted. */
async function start(
  scene: Scene,
  { name, runtime = [] }: { name: string; runtime?: readonly string[] },
): Promise<ChildProcess> {
  const [mount, state] = ["mnt", "state"].map((kind) => path.join(scene.folder, `${kind}-${name}`));
  mkdirSync(mount);
  const command = [
    ...runtime,
    KCOVFS,
    "mount",
    "--collector",
    "trace",
    "--state",
    state,
    mount,
  ];
  const child = scene.start(command);
  await lineWith(child, "mounted on");
  return child;
}

const inRun = () => existsSync(RUN_PLACE) ? readdirSync(RUN_PLACE) : [];
const inMemory = () => readdirSync("/dev/shm").filter((name) => name.startsWith("kcovfs-shared-"));

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

/** A program becomes a target of the scene's server. */
async function assertTakesTargets(scene: Scene, when: string): Promise<void> {
  const { status, stdout, stderr } = await scene.command(
    "run",
    "--",
    "node",
    "-p",
    "1",
  );
  assert.equal([status, stdout, stderr], [0, "1\n", ""], when);
  const { stdout: report } = await scene.command("ps", "--all");
  assert.match(report, /\bnode\b.*ended/, when);
}

several(
  "a server in another pid namespace takes nothing away from one that lives",
  async () => {
    await using scene = new Scene();
    await scene.serve("--collector", "trace");
    await assertTakesTargets(scene, "before");
    const before = [inRun(), inMemory()];
    assert.equal(before.map(({ length }) => length), [1, 1]);
    const other = await start(scene, { name: "b", runtime: CONTAINER });
    assert.equal([inRun(), inMemory()].map(({ length }) => length), [2, 2]);
    await assertTakesTargets(scene, "with another");
    await end(other, "SIGKILL");
    await assertTakesTargets(scene, "after another was killed");
  },
);

several(
  "what one that was killed has left goes with the next, in whatever namespace",
  async () => {
    await using scene = new Scene();
    for (const [i, runtime] of [CONTAINER, []].entries()) {
      const child = await start(scene, {
        name: `killed-${i}`,
        runtime: CONTAINER,
      });
      // The server and its watchdog.
      await end(child, "SIGKILL");
      assert.equal(
        [inRun(), inMemory()].map(({ length }) => length),
        [1, 1],
        "it has left them",
      );
      const left = [inRun(), inMemory()];
      const next = await start(scene, { name: `next-${i}`, runtime });
      const now = [inRun(), inMemory()];
      assert.equal(now.map(({ length }) => length), [1, 1]);
      now.forEach((names, place) => assert.is.not(names[0], left[place][0]));
      await end(next, "SIGKILL");
      await once(
        scene.start(["umount", "-q", "-l", `${scene.folder}/mnt-next-${i}`]),
        "exit",
      );
      // A watchdog that has outlived its server gets some time.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const last = await start(scene, { name: `last-${i}` });
      await end(last, "SIGTERM");
      assert.equal([inRun(), inMemory()], [[], []]);
    }
  },
);

several("three that start at the same instant all live", async () => {
  await using scene = new Scene();
  for (let round = 0; round < 2; round++) {
    // Folders to remove make the servers meet.
    for (let i = 0; i < 50; i++) {
      mkdirSync(`${RUN_PLACE}/${i + 1}-left`, { recursive: true });
    }
    const servers = await Promise.all(
      [[], CONTAINER, []].map((runtime, i) => start(scene, { name: `${round}-${i}`, runtime })),
    );
    assert.equal([inRun(), inMemory()].map(({ length }) => length), [3, 3]);
    for (const name of inRun()) {
      assert.ok(existsSync(path.join(RUN_PLACE, name, "socket")), name);
    }
    await Promise.all(
      servers.map((server, i) => end(server, i === 1 ? "SIGKILL" : "SIGTERM")),
    );
  }
});

several("one that starts while another ends disturbs neither", async () => {
  await using scene = new Scene();
  for (let round = 0; round < 2; round++) {
    const old = await start(scene, { name: `old-${round}` });
    const ending = end(old, "SIGTERM");
    const next = await start(scene, { name: `new-${round}` });
    await ending;
    assert.is(old.exitCode, 0);
    assert.equal([inRun(), inMemory()].map(({ length }) => length), [1, 1]);
    await end(next, "SIGTERM");
    assert.is(next.exitCode, 0);
    assert.equal([inRun(), inMemory()], [[], []]);
  }
});

several.run();
