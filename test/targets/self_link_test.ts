import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SelfLink, startSelfCoverage } from "../../src/targets/self_link.ts";

const self = suite("targets/self_link");

/** Offsets: `pick` 7 to 60, its else branch at `: 2`. */
const SOURCE = "export function pick(a) {\n  return a ? 1 : 2;\n}\n";

interface ScriptCoverage {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: { functionName: string; ranges: { count: number }[] }[];
}

const folder = mkdtempSync(path.join(tmpdir(), "kcovfs-self-"));
const link = new SelfLink(startSelfCoverage());
const url = pathToFileURL(path.join(folder, "pick.mjs")).href;
let scriptId = "";

self.after(() => rmSync(folder, { recursive: true }));

/** The report on the module since the last time. */
async function collect(): Promise<ScriptCoverage | undefined> {
  const { coverage, held } = await link.stop();
  assert.is(held, false, "it serves: it cannot be held");
  const reports = JSON.parse(new TextDecoder().decode(coverage)) as ScriptCoverage[];
  return reports.find((report) => report.url === url);
}

const counts = (report: ScriptCoverage | undefined) =>
  report?.functions.find(({ functionName }) => functionName === "pick")?.ranges
    .map(({ count }) => count);

self("code that is loaded after the start is collected block by block", async () => {
  writeFileSync(path.join(folder, "pick.mjs"), SOURCE);
  const { pick } = await import(url) as { pick: (a: number) => number };
  pick(1);
  pick(1);
  const report = await collect();
  scriptId = report!.scriptId;
  assert.equal(counts(report), [2, 0], "the function, and the branch not taken");
  pick(0);
  assert.equal(counts(await collect()), [1, 0], "since the last collection");
});

self("what did not run is not reported as run", async () => {
  const report = counts(await collect());
  assert.ok(report === undefined || report.every((count) => count === 0));
});

self("sources are fetched, those of scripts that there are not left out", async () => {
  assert.equal([...await link.fetchSources([scriptId, "123456789"])], [[scriptId, SOURCE]]);
  assert.equal([...await link.fetchSources([])], []);
});

self("it says that it cannot be held, and takes what else a link is asked", () => {
  assert.equal([link.kind, link.hold], ["self", "none"]);
  link.release();
  link.ignore();
});

self("disposing detaches it", async () => {
  await link[Symbol.asyncDispose]();
  assert.is(await link.closed, "detached");
});

self.run();
