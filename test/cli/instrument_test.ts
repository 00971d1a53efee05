/** `kcovfs instrument` */
import * as fs from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, NODES, Scene } from "../e2e/harness.ts";

const instrument = suite<{ scene: Scene }>("cli/instrument");

instrument.before((context) => {
  context.scene = new Scene();
});

instrument.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

const run = (scene: Scene, ...args: string[]): Promise<Finished> =>
  execute([KCOVFS, "instrument", "--state", scene.state, ...args]);

/** One line on stderr, nothing on stdout. */
function refused(found: Finished, status: number, text: RegExp): void {
  assert.equal([found.status, found.stdout], [status, ""]);
  assert.match(found.stderr, /^kcovfs: [^\n]+\n$/);
  assert.match(found.stderr, text);
}

instrument("a folder is copied with probes, and runs the same", async ({ scene }) => {
  const [from, to] = ["app", "probed"].map((name) => join(scene.folder, name));
  fs.mkdirSync(from);
  fs.writeFileSync(join(from, "package.json"), '{"type":"module"}');
  fs.writeFileSync(
    join(from, "main.js"),
    "#!/usr/bin/env node\nimport { twice } from './lib.cjs';\nconsole.log(twice(process.argv[2]));\n",
    { mode: 0o755 },
  );
  fs.writeFileSync(
    join(from, "lib.cjs"),
    "'use strict';\nexports.twice = (x) => x === '1' ? 'two' : `${x}${x}`;\n",
  );
  const { status, stdout, stderr } = await run(scene, from, "--out", to);
  assert.equal([status, stderr], [0, ""]);
  assert.match(stdout, /^kcovfs: 2 scripts with 5 blocks have probes, 1 file is as it was\n$/);
  for (const node of Object.values(NODES)) {
    for (const argument of ["1", "a"]) {
      const outputs = await Promise.all(
        [from, to].map((folder) => execute([node, join(folder, "main.js"), argument])),
      );
      assert.equal(outputs[0], outputs[1]);
    }
  }
  assert.is((await execute([join(to, "main.js"), "1"])).stdout, "two\n");
  const symbols = await execute([KCOVFS, "symbolize", "--state", scene.state, "-all"]);
  assert.is(symbols.stdout.match(/^\/.*\/app\/(?:main\.js|lib\.cjs):/gm)!.length, 5);
});

instrument("a script that cannot be parsed is told, and the status is 0", async ({ scene }) => {
  const from = join(scene.folder, "bad.js");
  const to = join(scene.folder, "bad-probed.js");
  fs.writeFileSync(from, "function (\n");
  const { status, stdout, stderr } = await run(scene, from, "-o", to);
  assert.is(status, 0);
  assert.match(stdout, /^kcovfs: 0 scripts with 0 blocks have probes, 1 file is as it was\n$/);
  assert.match(stderr, /^kcovfs: Cannot put probes into .*bad\.js: .*; it is copied as it is\n$/);
});

instrument("globs pick the scripts", async ({ scene }) => {
  const [from, to] = ["globs", "globs-probed"].map((name) => join(scene.folder, name));
  fs.mkdirSync(from);
  for (const name of ["a.js", "b.js", "c.js"]) fs.writeFileSync(join(from, name), "1;\n");
  const globs = ["--include", "**/[ab].js", "--exclude", "**/b.js"];
  const { stdout } = await run(scene, from, "-o", to, ...globs);
  assert.match(stdout, /^kcovfs: 1 script with 1 block has probes, 2 files/);
  assert.is(fs.readFileSync(join(to, "b.js"), "utf8"), "1;\n");
});

instrument("what would be written into itself is refused", async ({ scene }) => {
  const from = join(scene.folder, "self");
  fs.mkdirSync(from);
  const file = join(from, "a.js");
  fs.writeFileSync(file, "1;\n");
  refused(await run(scene, from, "-o", from), 1, /Cannot write to .*: it is within/);
  refused(await run(scene, from, "-o", join(from, "out")), 1, /Cannot write to .*: it is within/);
  refused(await run(scene, file, "-o", file), 1, /Cannot write to .*: it is within/);
  assert.is(fs.readFileSync(file, "utf8"), "1;\n");
  const { status } = await run(scene, from, "-o", `${from}-probed`);
  assert.is(status, 0, "a name that begins the same is another folder");
});

instrument("what is not there is told", async ({ scene }) => {
  const missing = join(scene.folder, "missing");
  refused(await run(scene, missing, "-o", `${missing}-probed`), 1, /Cannot instrument .*ENOENT/);
});

for (const [args, text] of [[[], /see 'kcovfs instrument --help'/], [["a.js"], /out/]] as const) {
  instrument(`'kcovfs instrument ${args}' makes no sense`, async () => {
    refused(await execute([KCOVFS, "instrument", ...args]), 2, text);
  });
}

instrument.run();
