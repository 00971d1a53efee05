/** Programs that become targets by `kcovfs/register`, or by the environment that `kcovfs env` prints. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { execute, KCOVFS, NODES, Scene } from "./harness.ts";

const register = suite<{ scene: Scene; program: string }>("register");

const REGISTER = fileURLToPath(new URL("../../src/agent/inside/register.cjs", import.meta.url));

/** Prints the targets while it is one, with a worker thread and a child process of its own. */
const PROGRAM = `
import { execFileSync } from "node:child_process";
import { Worker } from "node:worker_threads";
const [script, kcovfs] = process.argv.slice(1);
if (!kcovfs) setTimeout(() => {}, 60_000);
else {
  const worker = new Worker("require('node:worker_threads').parentPort.postMessage('up');" +
    "setTimeout(() => {}, 60_000)", { eval: true });
  await new Promise((resolve) => worker.once("message", resolve));
  const list = "console.log(require('child_process').execFileSync(" +
    JSON.stringify(kcovfs) + ", ['ps', '--json'], { encoding: 'utf8' }))";
  process.stdout.write(execFileSync(process.execPath, ["-e", list]));
  process.exit();
}
`;

register.before(async (context) => {
  context.scene = new Scene();
  await context.scene.serve();
  context.program = join(context.scene.folder, "program.mjs");
  writeFileSync(context.program, PROGRAM);
});

register.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** The names of running targets, from the program's output. */
function namesIn(stdout: string): string[] {
  const rows: TargetRow[] = JSON.parse(stdout);
  return rows.filter(({ state }) => state === "running").map(({ name }) => name);
}

for (const [version, node] of Object.entries(NODES)) {
  for (const option of ["--import", "--require"]) {
    register(
      `${option} makes a target of a program on ${version}, and of what it starts`,
      async ({ scene, program }) => {
        const name = `${option.slice(2)}-${version.slice(5)}`;
        const { stdout, stderr } = await execute([node, option, REGISTER, program, KCOVFS], {
          env: { KCOVFS_MOUNT: scene.mount, KCOVFS_NAME: name },
        });
        assert.is(stderr, "");
        assert.equal(namesIn(stdout), [name, `${name}.worker`, `${name}.node`]);
      },
    );
  }
}

register(
  "in NODE_OPTIONS it asks the server once, not for its own question",
  async ({ scene, program }) => {
    const { stdout, stderr } = await execute([process.execPath, program, KCOVFS], {
      env: { KCOVFS_MOUNT: scene.mount, NODE_OPTIONS: `--import ${REGISTER}`, KCOVFS_NAME: "once" },
    });
    assert.is(stderr, "");
    assert.equal(namesIn(stdout), ["once", "once.worker", "once.node"]);
  },
);

register(
  "without a server the program runs, and a line says why it is no target",
  async ({ scene }) => {
    const { status, stdout, stderr } = await execute(
      [process.execPath, "--import", REGISTER, "-e", "console.log('runs')"],
      { env: { KCOVFS_MOUNT: scene.folder } },
    );
    assert.equal([status, stdout], [0, "runs\n"]);
    assert.match(stderr, /^kcovfs: Cannot reach the server of [^\n]+: running without coverage\n$/);
  },
);

register("'kcovfs env --register' prints the path that --import takes", async ({ scene }) => {
  const found = await execute([KCOVFS, "env", "--register"], { env: { KCOVFS_MOUNT: "" } });
  assert.equal([found.status, found.stderr], [0, ""]);
  const script = 'exec "$1" --import "$("$0" env --register)" "$2" "$0"';
  const { stdout, stderr } = await execute(
    ["sh", "-c", script, KCOVFS, process.execPath, join(scene.folder, "program.mjs")],
    { env: { KCOVFS_MOUNT: scene.mount, KCOVFS_NAME: "anywhere" } },
  );
  assert.is(stderr, "");
  assert.equal(namesIn(stdout), ["anywhere", "anywhere.worker", "anywhere.node"]);
});

register("'kcovfs env' prints what a shell makes targets with", async ({ scene, program }) => {
  const script = 'eval "$("$0" env --name "it\'s")" && exec "$1" "$2" "$0"';
  const { stdout, stderr } = await execute(
    ["sh", "-c", script, KCOVFS, process.execPath, program],
    {
      env: { KCOVFS_MOUNT: scene.mount },
    },
  );
  assert.is(stderr, "");
  assert.equal(namesIn(stdout).length, 3);
  const json = JSON.parse((await scene.command("env", "--json")).stdout);
  assert.match(json["NODE_OPTIONS"], /--require=\S*preload\.cjs/);
  assert.is(json["KCOVFS_NAME"], undefined);
});

register.run();
