/** Shared memory that is full before a target starts, or while it runs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, type Finished, KCOVFS, Scene } from "./harness.ts";

const memory = suite<{ scene: Scene }>("full shared memory");

const PROGRAM = `
import { writeFileSync } from "node:fs";
let n = 0;
function add(x) { if (x > 1) n += 2; else n += 1; }
for (let i = 0; i < 4; i++) add(i);
if (process.argv[2] === "fill") {
  try { writeFileSync("/dev/shm/fill", Buffer.alloc(16 << 20)); } catch (error) { console.log(error.code); }
}
const { size } = await import("./later.mjs");
console.log("done", n, size(3));
`;
const LATER = 'export function size(x) { return x > 2 ? "big" : "small"; }\n';

memory.before((context) => {
  const scene = context.scene = new Scene();
  mkdirSync(join(scene.folder, "plain"));
  writeFileSync(join(scene.folder, "plain/main.mjs"), PROGRAM);
  writeFileSync(join(scene.folder, "plain/later.mjs"), LATER);
});

memory.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** Runs a script in a `kcovfs fuzz` whose machine has 2 MB of shared memory. */
function run(scene: Scene, script: string): Promise<Finished> {
  const fuzz = `mount -t tmpfs -o size=2m,mode=1777 tmpfs /dev/shm && cd "$1" &&
    exec "$2" fuzz --collector trace --state "$1/state" -- sh -c "$3"`;
  const shell = ["sh", "-c", fuzz, "sh", scene.folder, KCOVFS, script];
  return execute(["unshare", "--mount", "--propagation", "private", ...shell]);
}

const FILL = "head -c 16M /dev/zero > /dev/shm/fill 2>/dev/null";
const LACK =
  /^kcovfs: Target main \(pid \d+\): reports lack what it executes from now on: \/dev\/shm is full; run 'mount .*'; in a container: .*$/gm;

memory("a target starts without marks, and one line says so", async ({ scene }) => {
  const { status, stdout, stderr } = await run(scene, `${FILL}; node plain/main.mjs`);
  assert.equal([status, stdout], [0, "done 6 big\n"], stderr);
  assert.is(stderr.match(LACK)?.length, 1, stderr);
});

memory("a target goes on without marks, and reports have what it did before", async ({ scene }) => {
  const script = "node plain/main.mjs fill; rm /dev/shm/fill; " +
    "kcovfs report --format lcov --out lcov >/dev/null; cat lcov/lcov.info";
  const { stdout, stderr } = await run(scene, script);
  assert.match(stdout, /^ENOSPC\ndone 6 big\n/);
  const files = stdout.split("end_of_record").map((file) =>
    file.match(/^DA:\d+,1$/gm)?.length ?? 0
  );
  assert.ok(Math.max(...files) >= 3, stdout);
  assert.is(stderr.match(LACK)?.length, 1, stderr);
});

memory("a client that gets no area has the reason told", async ({ scene }) => {
  const { stderr } = await run(scene, `${FILL}; ${compile("poller")} /sys/kernel/debug/kcov 1`);
  const full =
    /^kcovfs: Cannot make a file for an instance, so its client gets ENOMEM: \/dev\/shm is full; run 'mount/m;
  assert.match(stderr, full);
});

memory("a server that gets no memory says why", async ({ scene }) => {
  const script = `mount -t tmpfs -o nr_inodes=1 tmpfs /dev/shm && exec "$@"`;
  const fuzz = [KCOVFS, "fuzz", "--collector", "trace", "--state", scene.state, "--", "true"];
  const { status, stderr } = await execute([
    "unshare",
    "--mount",
    "sh",
    "-c",
    script,
    "sh",
    ...fuzz,
  ]);
  assert.is(status, 1);
  assert.match(stderr, /^kcovfs: Cannot share memory: \/dev\/shm is full; run 'mount [^\n]*\n$/);
});

memory("the same with files that have probes already", async ({ scene }) => {
  const [from, to] = ["plain", "probed"].map((name) => join(scene.folder, name));
  const made = await execute(
    [KCOVFS, "instrument", "--state", join(scene.folder, "state"), "--out", to, from],
  );
  assert.is(made.status, 0, made.stderr);
  const { status, stdout, stderr } = await run(scene, `${FILL}; node probed/main.mjs`);
  assert.equal([status, stdout], [0, "done 6 big\n"], stderr);
  assert.is(stderr.match(LACK)?.length, 1, stderr);
});

memory("a reset of reports ends no target", async ({ scene }) => {
  writeFileSync(
    join(scene.folder, "plain/stay.mjs"),
    'let n = 0; const f = () => n++ > 9 ? "late" : "early"; console.log("ready");' +
      'setInterval(f, 10); process.on("SIGUSR2", () => { console.log("lives", n > 0); process.exit(); });',
  );
  const script =
    `node plain/stay.mjs & sleep 2; ${FILL}; kcovfs report --reset >/dev/null; sleep 0.5;
    kill -USR2 $!; wait $!; echo $?`;
  const { stdout, stderr } = await run(scene, script);
  assert.is(stdout, "ready\nlives true\n0\n", stderr);
});

memory.run();
