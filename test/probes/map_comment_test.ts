import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mapComment } from "../../src/probes/map_comment.ts";
import { prepare } from "../../src/probes/prepare.ts";
import { NODES } from "../blocks/v8_answers.ts";

const test = suite("probes/map_comment");

const SOURCE = `const a = { b: 1 };
function f(c) {
  if (c === a?.b && c) return a.b === 1 ? g(c) : [];
}
function g(d) { return d && (d === 1 ? d.e.f : d); }
f(1);
`;

/** The place where `.f` is read, and those of its callers. */
const PLACES = ["5:44", "3:43", "6:1"];

/** The program, which is not compiled. */
const PROBES = fileURLToPath(
  new URL("../../../test/fixtures/programs/probes.cjs", import.meta.url),
);

/** The places of the stack with which a file ends. */
function places(node: string, code: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-map-"));
  try {
    writeFileSync(
      join(folder, "probes.cjs"),
      `require(${JSON.stringify(PROBES)}).defineProbes(() => {});`,
    );
    writeFileSync(join(folder, "a.cjs"), code);
    const args = ["--enable-source-maps", "-r", join(folder, "probes.cjs"), join(folder, "a.cjs")];
    const { stderr } = spawnSync(node, args, { encoding: "utf8" });
    return Array.from(stderr.matchAll(/^ +at .*\ba\.cjs:(\d+:\d+)/gm), ([, place]) => place);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const { v8, path } of NODES) {
  test(`V8 ${v8}'s stacks have the places of the source`, () => {
    const { code, map } = prepare(SOURCE, {}).emit({ firstPc: 0, url: "a.cjs" });
    assert.equal(places(path, SOURCE), PLACES);
    assert.equal(places(path, code + mapComment(map)), PLACES);
  });
}

test.run();
