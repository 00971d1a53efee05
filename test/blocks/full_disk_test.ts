/** A symbol table and sources on a full disk, by the limit of a process's files. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { StateError } from "../../src/blocks/state_error.ts";
import { SourceStore } from "../../src/symbols/source_store.ts";
import { SymbolTable } from "../../src/symbols/symbol_table.ts";
import { EngineWorld } from "./engine_world.ts";

const disk = suite("coverage, full disk");

const ADD = fileURLToPath(new URL("add_symbols.js", import.meta.url));

async function withFolder(run: (folder: string) => unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-full-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Adds scripts by a process whose files must not be longer than so many blocks of 512 bytes. */
function addLimited(file: string, blocks: number, ...urls: string[]): string {
  const script = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const command = ["-c", script, process.execPath, ADD, file, ...urls];
  return spawnSync("sh", command, { encoding: "utf8" }).stderr;
}

disk(
  "a line that is written in part is taken back, and no other is lost",
  async () => {
    await withFolder((folder) => {
      const file = join(folder, "symbols");
      assert.is(addLimited(file, 64, "file:///a.js"), "");
      const before = readFileSync(file, "utf8");
      // Another server has the table open meanwhile.
      using other = SymbolTable.open(file);
      assert.match(
        addLimited(file, Math.ceil(before.length / 512), "file:///b.js"),
        /EFBIG/,
      );
      assert.is(readFileSync(file, "utf8"), before);
      assert.is(addLimited(file, 64, "file:///c.js"), "");
      other.add(
        {
          ...{
            url: "file:///d.js",
            hash: "d".repeat(64),
            files: [],
            fileOf: [0],
          },
          positions: Uint32Array.of(1, 1, 1, 9),
        } as unknown as Parameters<SymbolTable["add"]>[0],
      );
      const urls = other.segments.map(({ url }) => url).sort();
      assert.equal(urls, ["a", "c", "d"].map((name) => `file:///${name}.js`));
      assert.is(other.damaged, 0);
    });
  },
);

disk(
  "a line that a server that died has torn is cut off by another's",
  async () => {
    await withFolder((folder) => {
      const file = join(folder, "symbols");
      addLimited(file, 64, "file:///a.js");
      appendFileSync(file, "kcovfs1\t7\t50\tabc");
      assert.is(addLimited(file, 64, "file:///b.js"), "");
      using table = SymbolTable.open(file, { isReadOnly: true });
      assert.equal([table.segments.length, table.damaged], [2, 0]);
    });
  },
);

disk("sources that could not be kept are kept later", async () => {
  await withFolder(async (folder) => {
    const missing = join(folder, "later/sources");
    const store = new SourceStore(missing);
    const [a, b] = ["a", "b"].map((name) => ({
      url: `file:///${name}.js`,
      hash: name.repeat(64),
    }));
    store.keep(a, { source: "a()", originals: [] });
    await store[Symbol.asyncDispose]();
    assert.not.ok(store.has(a));
    const { mkdirSync } = await import("node:fs");
    mkdirSync(join(folder, "later"));
    store.keep(b, { source: "b()", originals: [] });
    await store[Symbol.asyncDispose]();
    assert.is((await store.read(a))?.source, "a()");
    assert.is((await store.read(b))?.source, "b()");
    assert.is(readdirSync(missing).length, 2);
  });
});

disk(
  "an engine tries a script again, and tells no client of what is late",
  async () => {
    const world = new EngineWorld();
    const target = world.target(() => true);
    const source = "function f() { return 1; }\nf();\n";
    const report = (count: number) => {
      const ranges = [{ startOffset: 0, endOffset: source.length, count }];
      const functions = [{ functionName: "", ranges, isBlockCoverage: true }];
      return Buffer.from(
        JSON.stringify([{ scriptId: "1", url: "file:///a.js", functions }]),
      );
    };
    world.failure = new StateError("no space left in the state folder");
    const sources = new Map([["1", source]]);
    assert.equal(target.absorb(report(1)), ["1"]);
    await target.learn(sources, ["1"]);
    assert.equal(
      [
        target.counts.unkept,
        target.counts.unkeptReason,
        target.counts.unparsed,
      ],
      [1, "no space left in the state folder", 0],
    );
    // Not at once, since it costs a table.
    assert.equal(target.absorb(report(1)), []);
    world.failure = undefined;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal(target.absorb(report(0)), ["1"]);
    await target.learn(sources, ["1"]);
    assert.equal([...target.drain()], []);
    assert.equal([target.counts.unkept, target.counts.measured], [0, 1]);
    target.absorb(report(1));
    assert.ok(target.drain().length > 0);
  },
);

disk.run();
