/** The server on Deno: the same sources, built the same way. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertExact } from "./exact_loop.ts";
import {
  compile,
  compileFile,
  execute,
  finish,
  KCOVFS,
  ON_DENO,
  Scene,
  WITH_DENO,
} from "./harness.ts";
import { COUNTS, DIRECT, FAULTS } from "./measures.ts";

const server = suite("a server on Deno");

const EXAMPLES = fileURLToPath(new URL("../../../examples", import.meta.url));

server.before(() => {
  compile("exactness");
});

const MEASURES = {
  "that V8 counts": COUNTS,
  "that probes write": DIRECT,
  "that come by faults": FAULTS,
};

for (const [name, measure] of Object.entries(MEASURES)) {
  server(`300 reads of blocks ${name} are exact, and SIGTERM ends it`, async () => {
    await using scene = new Scene();
    const child = await scene.serveWith({ runtime: ON_DENO }, ...measure.options);
    const { socket } = await scene.service("paths");
    await assertExact({ kcov: scene.kcov, socket, requests: 300, measure });
    child.kill("SIGTERM");
    const { status, stderr } = await finish(child, 20_000);
    assert.equal([status, stderr], [0, ""]);
    assert.not(await scene.isMounted());
  });
}

server("one that is killed leaves no mount, and no client hanging", async () => {
  await using scene = new Scene();
  const child = await scene.serveWith({ runtime: ON_DENO });
  const { socket } = await scene.service("paths");
  const client = scene.start([compile("exactness"), scene.kcov, socket, "1000000"]);
  child.kill("SIGKILL");
  await scene.unmounted();
  await finish(client, 10_000);
  assert.is.not(client.signalCode, "SIGKILL", "it ended by itself");
});

server("the demo runs in its `kcovfs fuzz`", async () => {
  await using scene = new Scene();
  const bin = join(scene.folder, "bin");
  mkdirSync(bin);
  for (const name of ["trace", "mutate"]) {
    const program = compileFile(join(EXAMPLES, "clients", `${name}.c`));
    await execute(["cp", program, join(bin, name)]);
  }
  const demo = ["sh", join(EXAMPLES, "demo.sh"), bin];
  const { status, stdout, stderr } = await execute(
    [...ON_DENO, KCOVFS, "fuzz", "--state", scene.state, "--", ...demo],
    { timeout: 60_000 },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, /messages\/evaluate: \d{3,4} PCs, beginning with:\n +0x\w+ +rules\.mjs:/);
  assert.match(stdout, /executions +rules\.mjs:/);
});

server("a Deno that its `kcovfs fuzz` starts is a target", async () => {
  await using scene = new Scene();
  const script = `deno eval "await new Promise(() => setTimeout(() => {}, 60000))" &
    until grep ' deno 2' /sys/kernel/debug/kcovfs/targets; do sleep 0.1; done; kill $!`;
  const { status, stdout, stderr } = await execute(
    [...ON_DENO, KCOVFS, "fuzz", "--state", scene.state, "--", "sh", "-c", script],
    { timeout: 30_000, env: WITH_DENO },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, /^1 +\S+ +\d+ +deno 2\S+ +agent +trace +unneeded /);
});

server("it cannot measure itself, and says why in one line", async () => {
  await using scene = new Scene();
  mkdirSync(scene.mount);
  const { status, stdout, stderr } = await execute(
    [...ON_DENO, KCOVFS, "mount", scene.mount, "--self"],
  );
  assert.equal([status, stdout], [1, ""]);
  assert.match(stderr, /^kcovfs: Cannot make the server itself a target: [^\n]+\n$/);
});

server.run();
