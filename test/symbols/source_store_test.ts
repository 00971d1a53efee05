import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SourceStore } from "../../src/symbols/source_store.ts";

const store = suite("symbols/source_store");

const SCRIPT = { url: "file:///srv/a.js", hash: "ab".repeat(32) };
const TEXTS = {
  source: "f();\u2028\ud800",
  originals: [{ url: "file:///srv/a.ts", text: "f(): void" }],
};

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-sources-"));
  try {
    await work(path.join(folder, "sources"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

store("what is kept is read by others, to the character", () =>
  inFolder(async (folder) => {
    {
      await using subject = new SourceStore(folder);
      assert.not(subject.has(SCRIPT));
      subject.keep(SCRIPT, TEXTS);
      // Another server of the same folder.
      subject.keep(SCRIPT, TEXTS);
    }
    const other = new SourceStore(folder);
    assert.ok(other.has(SCRIPT));
    assert.equal(await other.read(SCRIPT), TEXTS);
    const [file, ...more] = readdirSync(folder);
    assert.equal(more, []);
    assert.is(statSync(path.join(folder, file)).mode & 0o777, 0o600);
  }));

store("scripts of one source have a file for each URL", () =>
  inFolder(async (folder) => {
    await using subject = new SourceStore(folder);
    subject.keep(SCRIPT, TEXTS);
    assert.is(await subject.read({ ...SCRIPT, url: "file:///srv/b.js" }), undefined);
  }));

store("a damaged file is as none", () =>
  inFolder(async (folder) => {
    {
      await using subject = new SourceStore(folder);
      subject.keep(SCRIPT, TEXTS);
    }
    const [file] = readdirSync(folder);
    writeFileSync(path.join(folder, file), "torn");
    assert.is(await new SourceStore(folder).read(SCRIPT), undefined);
  }));

store(
  "where nothing can be written, nothing is kept and nothing fails",
  () =>
    inFolder(async (folder) => {
      await using subject = new SourceStore("/proc/kcovfs/sources");
      subject.keep(SCRIPT, TEXTS);
      await subject[Symbol.asyncDispose]();
      assert.is(await subject.read(SCRIPT), undefined);
      assert.ok(folder);
    }),
);

store.run();
