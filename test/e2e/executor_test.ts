/** The use of kcov by syzkaller's executor; see `docs/syzkaller.md`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, Scene } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";

const executor = suite("executor");

/** Makes more PCs than a page has words. */
const YAML = "list: [1, 2.5, .inf, 0x1f, ~]\nmap: {a: \"b\\n\", c: 'd', e: !!str 5}\n" +
  "block: |\n  text\nfolded: >-\n  text\n  more\nanchor: &a\n  k: 2001-12-14\nmerge:\n  <<: *a\n";

executor.before(() => {
  compile("executor");
});

/** The programs' calls were measured, each the same as before; returns the number of words of the first. */
async function run(
  mode: "write" | "read-only" | "comparisons",
  { measure, isLarge = false }: { measure: Measure; isLarge?: boolean },
): Promise<number> {
  await using scene = new Scene();
  await scene.serve(...measure.options);
  const { socket } = await scene.service(isLarge ? "js_yaml" : "paths");
  const command = [compile("executor"), scene.kcov, socket, mode];
  if (isLarge) {
    const input = join(scene.folder, "input");
    writeFileSync(input, YAML);
    command.push(input);
  }
  const { status, signal, stdout, stderr } = await execute(command, { env: measure.env });
  assert.is(stderr, "");
  assert.is(status, 0, `${status} ${signal}`);
  const found = stdout.match(/^programs 40 calls 80 pcs (\d+) signal \d+$/m);
  assert.ok(found, stdout);
  return Number(found![1]);
}

executor(
  "programs in processes of their own are measured, and PCs may be sorted in place",
  async () => {
    assert.ok(await run("write", { measure: COUNTS, isLarge: true }) > 512);
  },
);

executor("areas that are mapped for reading are reset by KCOV_RESET_TRACE", async () => {
  assert.ok(await run("read-only", { measure: COUNTS }) > 5);
});

executor("PCs that probes write may be sorted in place", async () => {
  assert.ok(await run("write", { measure: DIRECT, isLarge: true }) > 512);
});

executor("comparisons that come by faults may be rewritten in place", async () => {
  assert.ok(await run("comparisons", { measure: FAULTS, isLarge: true }) > 512);
});

executor.run();
