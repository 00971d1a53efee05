/** Scripts whose source maps lead into the mount of the server that reads them. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, Scene } from "./harness.ts";

const maps = suite("maps on the mount");

/** The names in comments at scripts' ends, and in the maps within them. */
function hostileNames(scene: Scene): string[] {
  const inMount = ["kcov", "kcovfs/targets", "kcovfs/symbols", "kcov.d", "kcovfs/socket", "none"];
  return [
    ...inMount.map((name) => join(scene.mount, name)),
    ...[
      join(scene.folder, "pipe"),
      "/dev/zero",
      "/proc/self/mem",
      join(scene.folder, ".."),
      scene.folder,
    ],
  ];
}

function inlineMap(source: string): string {
  const map = { version: 3, sources: [source], names: [], mappings: "AAAA;AACA" };
  return `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`;
}

maps("a map in the server's own mount stops neither the server nor the target", async () => {
  await using scene = new Scene();
  execFileSync("mkfifo", [join(scene.folder, "pipe")]);
  const server = await scene.serve("--collector", "trace");
  const urls = hostileNames(scene).flatMap((name) => [name, inlineMap(`file://${name}`)]);
  const files = urls.map((url, i) => {
    const file = join(scene.folder, `script-${i}.cjs`);
    writeFileSync(file, `exports.f = (x) => x ? 1 : 2;\n//# sourceMappingURL=${url}\n`);
    return file;
  });
  const main = join(scene.folder, "main.cjs");
  writeFileSync(main, `console.log(${JSON.stringify(files)}.map((f) => require(f).f(1)).join(""))`);
  const { status, stdout, stderr } = await execute(
    [...scene.run("maps"), process.execPath, main],
    { timeout: 60_000 },
  );
  assert.equal([status, stdout, stderr], [0, `${"1".repeat(files.length)}\n`, ""]);
  const symbols = readFileSync(join(scene.mount, "kcovfs/symbols"), "utf8");
  for (const [i, file] of files.entries()) {
    // If an original cannot be read, its mappings place the blocks.
    const place = i % 2 === 0 ? file : hostileNames(scene)[(i - 1) / 2];
    assert.ok(symbols.includes(place), `${place} of ${urls[i]}`);
  }
  assert.match(server.warnings(), /no regular file/);
});

maps.run();
