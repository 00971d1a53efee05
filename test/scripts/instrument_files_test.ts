import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type InstrumentedFiles, instrumentFiles } from "../../src/scripts/instrument_files.ts";
import { PipelineWorld } from "./pipeline_world.ts";

const files = suite("scripts/instrument_files");

/** A folder of files, and the folder that they are written to. */
class Folders {
  readonly from: string;
  readonly to: string;
  readonly #world: PipelineWorld;

  constructor(world: PipelineWorld) {
    this.#world = world;
    [this.from, this.to] = ["from", "to/deep"].map((name) => path.join(world.folder, name));
    fs.mkdirSync(this.from);
  }

  write(name: string, text: string | Uint8Array, mode = 0o644): void {
    const file = path.join(this.from, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.chmodSync(file, mode);
  }

  read(name: string): string {
    return fs.readFileSync(path.join(this.to, name), "utf8");
  }

  /** @param options `name`: of a single file to write, instead of all. */
  instrument(
    options: { name?: string; isMeasured?: (url: string) => boolean } = {},
  ): Promise<InstrumentedFiles> {
    const { name = "", isMeasured = () => true } = options;
    const { pipeline, warnings } = this.#world;
    const warn = (line: string) => void warnings.push(line.replaceAll(this.from, "FROM"));
    const paths = { from: path.join(this.from, name), to: path.join(this.to, name) };
    return instrumentFiles(paths, { pipeline, isMeasured, reporter: { warn } });
  }
}

function scenario(
  sentence: string,
  run: (folders: Folders, world: PipelineWorld) => unknown,
): void {
  files(sentence, async () => {
    await using world = new PipelineWorld();
    await run(new Folders(world), world);
  });
}

scenario("a folder's scripts get probes, by the URLs of their sources", async (folders, world) => {
  folders.write("main.mjs", 'import { a } from "./lib/a.js"; console.log(a(2));\n');
  folders.write("lib/a.js", "exports.a = (x) => x > 1 ? 'more' : 'less';\n");
  folders.write("b.cjs", "with ({}) {}\n");
  const done = await folders.instrument();
  assert.equal([done.scripts, done.copied], [3, 0]);
  const urls = world.symbols.segments.map(({ url }) => url).sort();
  const real = pathToFileURL(fs.realpathSync(folders.from)).href;
  assert.equal(urls, ["b.cjs", "lib/a.js", "main.mjs"].map((name) => `${real}/${name}`));
  assert.is(done.blocks, world.symbols.segments.reduce((sum, { count }) => sum + count, 0));
  const main = path.join(folders.to, "main.mjs");
  assert.is(execFileSync(process.execPath, [main], { encoding: "utf8" }), "more\n");
});

scenario("other files are copied as they are, with folders that are empty", async (folders) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  folders.write("data.bin", bytes);
  folders.write("types.d.ts", "export {};");
  folders.write("lib/x.json", "{}");
  fs.mkdirSync(path.join(folders.from, "empty/inner"), { recursive: true });
  fs.symlinkSync("data.bin", path.join(folders.from, "link.js"));
  fs.symlinkSync("gone", path.join(folders.from, "dangling"));
  assert.equal(await folders.instrument(), { scripts: 0, blocks: 0, copied: 5 });
  assert.equal(Uint8Array.from(fs.readFileSync(path.join(folders.to, "data.bin"))), bytes);
  assert.equal([folders.read("types.d.ts"), folders.read("lib/x.json")], ["export {};", "{}"]);
  assert.ok(fs.statSync(path.join(folders.to, "empty/inner")).isDirectory());
  const links = ["link.js", "dangling"].map((name) => fs.readlinkSync(path.join(folders.to, name)));
  assert.equal(links, ["data.bin", "gone"]);
});

scenario("files keep their permissions, whatever the umask", async (folders) => {
  folders.write("run.js", "#!/usr/bin/env node\n1;\n", 0o775);
  folders.write("secret.mjs", "1;\n", 0o600);
  folders.write("tool", "", 0o755);
  const before = process.umask(0o077);
  try {
    await folders.instrument();
  } finally {
    process.umask(before);
  }
  const modes = ["run.js", "secret.mjs", "tool"].map((name) =>
    (fs.statSync(path.join(folders.to, name)).mode & 0o777).toString(8)
  );
  assert.equal(modes, ["775", "600", "755"]);
  assert.match(folders.read("run.js"), /^#!\/usr\/bin\/env node\n;/);
});

scenario("a script that cannot be parsed is copied, and said so", async (folders, world) => {
  folders.write("bad.js", "function (\n");
  folders.write("good.js", "1;\n");
  const { scripts, copied } = await folders.instrument();
  assert.equal([scripts, copied, folders.read("bad.js")], [1, 1, "function (\n"]);
  assert.is(world.warnings.length, 1);
  assert.match(
    world.warnings[0],
    /^Cannot put probes into FROM\/bad\.js: .+; it is copied as it is$/,
  );
});

scenario("scripts that are not measured are copied", async (folders) => {
  folders.write("a.js", "1;\n");
  folders.write("b.js", "2;\n");
  const done = await folders.instrument({ isMeasured: (url) => !url.endsWith("/b.js") });
  assert.equal([done.scripts, done.copied, folders.read("b.js")], [1, 1, "2;\n"]);
});

scenario("what is there already is written over", async (folders) => {
  folders.write("a.js", "1;\n");
  folders.write("b.txt", "one");
  await folders.instrument();
  const first = folders.read("a.js");
  folders.write("a.js", "2;\n");
  folders.write("b.txt", "two");
  await folders.instrument();
  assert.is.not(folders.read("a.js"), first);
  assert.is(folders.read("b.txt"), "two");
});

scenario("one file is written by its name", async (folders) => {
  folders.write("a.js", "1;\n");
  folders.write("b.js", "1;\n");
  const { scripts, copied } = await folders.instrument({ name: "a.js" });
  assert.equal([scripts, copied, fs.readdirSync(folders.to)], [1, 0, ["a.js"]]);
});

scenario("what is not there cannot be read", async (folders) => {
  const error = await folders.instrument({ name: "gone.js" }).catch((error) => error);
  assert.is(error.code, "ENOENT");
});

files.run();
