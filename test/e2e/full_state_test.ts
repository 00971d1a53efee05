/** A state folder that is full, and later no longer. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { until } from "../until.ts";
import { Scene } from "./harness.ts";

const full = suite("full state folder");

const FUNCTIONS = 6000;
const BIG = Array.from({ length: FUNCTIONS }, (_, i) => `function f${i}(x) { return x ? 1 : 2; }`)
  .join("\n") + "\nf1(1); console.log('ran');\n";

async function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  await using scene = new Scene();
  mkdirSync(scene.state);
  // Large enough for the table without the script, too small for it with the script.
  const mount = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", scene.state];
  assert.is(spawnSync("mount", mount).status, 0);
  try {
    await run(scene);
  } finally {
    // The server still writes into it.
    spawnSync("umount", ["-l", scene.state]);
  }
}

function remount(scene: Scene, options: string): void {
  assert.is(spawnSync("mount", ["-o", `remount,${options}`, scene.state]).status, 0);
}

interface Row {
  readonly name: string;
  readonly scripts: number;
  readonly note: string;
}

async function rows(scene: Scene): Promise<Row[]> {
  return JSON.parse((await scene.command("ps", "--all", "--json")).stdout);
}

for (const collector of ["v8", "trace"]) {
  full(`with ${collector} a script is tried again, and 'ps' names the reason`, async () => {
    await withScene(async (scene) => {
      await scene.serve("--collector", collector, "--no-passthrough");
      const [big, small] = ["big.cjs", "small.cjs"].map((name) => join(scene.folder, name));
      writeFileSync(big, BIG);
      writeFileSync(small, "console.log('small');\n");
      const run = (name: string, file: string) =>
        scene.command("run", "--name", name, "--", process.execPath, file);
      await run("before", small);
      assert.is((await run("first", big)).stdout, "ran\n");
      const file = join(scene.state, "symbols");
      {
        using table = SymbolTable.open(file, { isReadOnly: true });
        assert.equal(table.segments.map(({ url }) => url), [`file://${small}`]);
        assert.is(table.damaged, 0);
      }
      remount(scene, "size=8m");
      assert.is((await run("second", big)).stdout, "ran\n");
      const [, first, second] = await rows(scene);
      assert.is(
        first.note.includes("1 script without PCs: no space left in the state folder"),
        true,
        first.note,
      );
      assert.equal([second.scripts, second.note.includes("no space")], [1, false]);
      using table = SymbolTable.open(file, { isReadOnly: true });
      assert.equal([table.segments.length, table.damaged], [2, 0]);
      assert.ok(existsSync(join(scene.state, "sources")));
    });
  });
}

full("a target that lives on is measured once there is room", async () => {
  await withScene(async (scene) => {
    await scene.serve();
    const file = join(scene.folder, "stay.cjs");
    writeFileSync(file, `${BIG}setInterval(() => f2(0), 50);\n`);
    scene.start(scene.run("stay").concat(process.execPath, file));
    const note = async () => {
      // A report collects from targets.
      await scene.command("report", "--format", "summary");
      return (await rows(scene))[0]?.note ?? "";
    };
    await until(async () => (await note()).includes("no space left in the state folder"));
    remount(scene, "rw,size=8m");
    await until(async () => await note() === "");
    assert.is((await rows(scene))[0].scripts, 1);
  });
});

full.run();
