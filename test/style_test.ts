import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VERSION } from "../src/base/version.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DENO = fileURLToPath(new URL("../../test/node_modules/.bin/deno", import.meta.url));

const style = suite("style");

function deno(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(DENO, args, { cwd: ROOT, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

style("the sources are formatted as deno fmt formats them", () => {
  const { status, output } = deno("fmt", "--check");
  assert.is(status, 0, output);
});

style("deno lint finds nothing", () => {
  const { status, output } = deno("lint");
  assert.is(status, 0, output);
});

style("the version in the sources is the package's", () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  assert.is(VERSION, version);
});

style.run();
