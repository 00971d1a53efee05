/** A server's recording is answered the same by another server, which has nothing but the file. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertExact } from "./exact_loop.ts";
import { compile, execute, type Finished, KCOVFS, Scene } from "./harness.ts";
import { COUNTS, DIRECT } from "./measures.ts";

const recording = suite("recording");

recording.before(() => {
  compile("abi");
  compile("exactness");
});

/** Scenarios of `clients/abi.c` whose answers need more than the messages: threads, memory. */
const SCENARIOS = [
  ...["init_sizes", "enable_errors", "remote_memory", "remote_handles", "read_and_write"],
  ...["owner_thread_exits", "owner_process_exits", "closed_while_enabled", "reopened"],
];

/** The place of `kcov` in `kcovfs fuzz`. */
const KCOV = "/sys/kernel/debug/kcov";

function replay(file: string, ...options: string[]): Promise<Finished> {
  return execute([KCOVFS, "replay", ...options, file], { env: { KCOVFS_MOUNT: "" } });
}

for (const [name, measure] of Object.entries({ "V8's counts": COUNTS, probes: DIRECT })) {
  recording(`a server of ${name} that is killed leaves what answers itself the same`, async () => {
    await using scene = new Scene();
    const file = join(scene.folder, "recording");
    const server = await scene.serve("--record", file, ...measure.options);
    for (const scenario of SCENARIOS) {
      const command = [compile("abi"), scene.kcov, scenario];
      const { status, stderr } = await execute(command, { env: measure.env });
      assert.equal([status, stderr], [0, ""], scenario);
    }
    const { socket } = await scene.service("paths");
    await execute(["ls", join(scene.mount, "kcov.d")]);
    await execute(["cat", join(scene.mount, "kcovfs/targets")]);
    const kcov = join(scene.mount, "kcov.d/paths");
    await assertExact({ kcov, socket, requests: 50, measure });
    server.kill("SIGKILL");
    await scene.unmounted();

    const { status, stdout, stderr } = await replay(file);
    assert.equal([status, stderr], [0, ""], stdout.slice(-2000));
    const found = stdout.match(
      /^(\d+) requests; replies: (\d+) the same, 0 different, (\d+) not/m,
    )!;
    assert.ok(found, stdout.slice(-2000));
    const [requests, same, uncompared] = found.slice(1).map(Number);
    assert.ok(same > 200 && uncompared < 10 && requests > same, found[0]);
    assert.match(stdout, /^ +\d+\.\d{3} rx \d+: LOOKUP n4 "paths" p\d+$/m);
    assert.match(stdout, /^ +\d+\.\d{3} rx \d+: IOCTL n\d+ \{cmd: 0x80086301, arg: /m);
  });
}

recording("what is answered otherwise is shown, and ends with status 1", async () => {
  await using scene = new Scene();
  const file = join(scene.folder, "recording");
  const fuzz = [KCOVFS, "fuzz", "--state", scene.state, "--record", file, "--"];
  assert.is((await execute([...fuzz, compile("abi"), KCOV, "init_sizes"])).status, 0);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.is((await replay(file)).status, 0);
  // With another time of files, replies would differ.
  writeFileSync(file, readFileSync(file, "utf8").replace(/"mounted":\d+/, '"mounted":1'));
  const { status, stdout } = await replay(file, "--quiet");
  assert.is(status, 1);
  assert.match(stdout, /^ +but now tx \d+: OK \{.*mtime: 1, /);
  assert.match(stdout, /\d+ requests; replies: \d+ the same, [1-9]\d* different, /);
});

recording("a file that cannot be written, or is none, is refused in one line", async () => {
  await using scene = new Scene();
  const folder = scene.folder;
  const mounted = await execute([KCOVFS, "mount", folder, "--record", "/nowhere/recording"]);
  assert.is(mounted.status, 1);
  assert.match(mounted.stderr, /^kcovfs: Cannot record to \/nowhere\/recording: no such [^\n]+\n$/);
  const missing = await replay(join(folder, "missing"));
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /^kcovfs: Cannot replay \S+: no such file; [^\n]+\n$/);
});

recording.run();
