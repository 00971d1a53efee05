/** `npm start` and `npm test` before anything is built. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, OLD_NODE } from "./e2e/harness.ts";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));

const scripts = suite<{ folder: string; bin: string }>("scripts");

/** A PATH with the tools of a small system, and nothing that the tests need. */
scripts.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "kcovfs-scripts-"));
  // Another user must be able to read it.
  chmodSync(context.folder, 0o755);
  context.bin = join(context.folder, "bin");
  mkdirSync(context.bin);
  for (const tool of ["sh", "id", "tr", "sed", "grep", "cat", "mktemp", "rm", "sleep", "dirname"]) {
    symlinkSync(join("/usr/bin", tool), join(context.bin, tool));
  }
});

scripts.after(({ folder }) => {
  rmSync(folder, { recursive: true });
});

function run(bin: string, line: string, before: readonly string[] = []): Promise<Finished> {
  return execute([...before, "/bin/sh", "-c", `cd "$0" && ${line}`, SCRIPTS], {
    env: { PATH: bin },
  });
}

scripts("who is not root is told the command that installs what is missing", async ({ bin }) => {
  const nobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const { status, stdout, stderr } = await run(bin, "sh system_packages.sh", nobody);
  assert.equal([status, stdout], [1, ""]);
  assert.match(
    stderr,
    /^The tests need .*\n {2}sudo sh -c 'apt-get update && apt-get install -y .*gcc/,
  );
  for (const name of ["chromium", "afl++", "clang", "golang-go", "iproute2"]) {
    assert.ok(stderr.split(/[\s']+/).includes(name), stderr);
  }
});

scripts("root with apt-get has it installed, and what is there already is not", async (context) => {
  const bin = join(context.folder, "apt");
  mkdirSync(bin);
  for (const name of ["apt-get", "clang", "go"]) {
    writeFileSync(join(bin, name), '#!/bin/sh\necho "called $*"\n', { mode: 0o755 });
  }
  const { status, stdout } = await run(`${bin}:${context.bin}`, "sh system_packages.sh");
  assert.is(status, 0);
  assert.match(stdout, /\ncalled update\ncalled install -y --no-install-recommends gcc /);
  assert.not.match(stdout, /clang|golang-go/);
});

scripts("a Node that is missing, or too old, is said before anything else", async (context) => {
  const none = await run(context.bin, 'sh check_node.sh "npm test"');
  assert.is(none.status, 1);
  assert.match(none.stderr, /^npm test: needs Node 20\.19 or newer with npm; .* deno task test\n$/);
  const bin = join(context.folder, "old");
  mkdirSync(bin);
  symlinkSync(OLD_NODE, join(bin, "node"));
  symlinkSync("/bin/true", join(bin, "npm"));
  const old = await run(`${bin}:${context.bin}`, 'sh check_node.sh "npm start"');
  assert.is(old.status, 1);
  assert.match(old.stderr, /^npm start: needs Node 20\.19 or newer, this is v18\..*\n$/);
});

scripts("what takes long shows how far it is, and what it said when it fails", async ({ bin }) => {
  const fine = await run(bin, "sh progress.sh build 'echo 3' sh -c 'sleep 11; echo quiet'");
  assert.equal([fine.status, fine.stdout, fine.stderr], [
    0,
    "   build, 3 are there, 9 s\n   build: done, 11 s\n",
    "",
  ]);
  const failed = await run(bin, "sh progress.sh build '' sh -c 'echo why; exit 7'");
  assert.equal([failed.status, failed.stdout, failed.stderr], [7, "", "why\n"]);
});

scripts.run();
