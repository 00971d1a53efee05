/**
 * Scripts of every origin: the blocks that a request executes are known exactly, and their places in the text
 * that the user has written, whatever that was made into.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, NODES, Scene, SERVICES } from "./harness.ts";

const origins = suite("origins");

const FILES = join(SERVICES, "../origins");
const INPUTS = 100;

/** The same `check`, in a text and under its name in the symbols. */
interface Origin {
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

function inFile(name: string, path: string, file = join(FILES, path)): Origin {
  return { name, file, text: readFileSync(join(FILES, path), "utf8") };
}

const TEXT = `function check(byte) {
  if (byte > 9) {
    return 3;
  }
  return byte === 1 ? 1 : 2;
}
`;
const MODULE = `export ${TEXT}`;
const BROKEN = ["bad_json", "bad_mappings", "bad_version", "missing", "folder", "remote"];

const ORIGINS: readonly Origin[] = [
  inFile("commonjs", "check.cjs"),
  inFile("module", "check.mjs"),
  ...["inline.mjs", "file.mjs", "no_content.mjs", "minified.mjs", "esbuild.cjs", "tsc"].map((
    name,
  ) => inFile(name, "src/check.ts")),
  inFile("rollup.mjs", "src/plain/check.js"),
  inFile("webpack.cjs", "src/plain/check.js", "webpack:///./src/plain/check.js"),
  ...BROKEN.map((name) => inFile(`${name}`, `broken/${name}.mjs`)),
  { name: "vm", file: "plain.js", text: TEXT },
  { name: "vm relative", file: "./relative/to what.js", text: TEXT },
  { name: "vm offset", file: "offset.js", text: TEXT },
  { name: "vm other", file: "plain.js", text: `// another\n${TEXT}` },
  { name: "vm again", file: "plain.js", text: TEXT },
  { name: "vm function", file: "compiled.js", text: TEXT },
  { name: "vm module", file: "linked:module", text: MODULE },
  { name: "eval", file: "evaluated.js", text: `globalThis.evaluated = ${TEXT}` },
  { name: "new Function", file: "made.js", text: `(function anonymous(byte\n) {\n${TEXT}` },
  { name: "data", file: `data:text/javascript,${encodeURIComponent(MODULE)}`, text: MODULE },
  inFile("hooked", "hooked.mts"),
];

const STRIPPED: readonly Origin[] = [
  inFile("stripped", "check.ts"),
  inFile("stripped commonjs", "check.cts"),
];

/** The texts that `check` executes for a byte, in the order of the source. */
function executedTexts({ text }: Origin, byte: number): string[] {
  const whole = functionText(text);
  const [then] = whole.match(/\{\s*return 3;\s*\}/)!;
  const rest = whole.slice(whole.indexOf(then) + then.length);
  const after = rest.slice(0, rest.indexOf("? 1"));
  const otherwise = rest.slice(rest.indexOf(": "), rest.indexOf(";"));
  if (byte === 10) return [whole, then];
  if (byte === 1) return [whole, after, "? 1"];
  return [whole, after, otherwise, ...otherwise.match(/\? 2/) ?? []];
}

function functionText(text: string): string {
  const start = text.indexOf("function check");
  return text.slice(start, text.indexOf("\n}", start) + 2);
}

/** The texts of those blocks, given as `file:line.column,line.column`, that are within `check`. */
function textsOf({ file, text }: Origin, blocks: readonly string[]): string[] {
  const start = text.indexOf("function check");
  const end = start + functionText(text).length;
  const lines = text.split("\n");
  const offset = (line: number, column: number) =>
    lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + column - 1;
  return blocks.flatMap((block) => {
    if (!block.startsWith(`${file}:`)) return [];
    const place = block.slice(file.length).match(/^:(\d+)\.(\d+),(\d+)\.(\d+)$/)!.slice(1).map(
      Number,
    );
    const [from, to] = [offset(place[0], place[1]), offset(place[2], place[3])];
    return from >= start && to <= end ? [{ from, text: text.slice(from, to) }] : [];
  }).sort((a, b) => a.from - b.from).map(({ text }) => text);
}

const BYTES = [0, 1, 10];

/** Each request's PCs, which are the same each time. */
async function drive(
  scene: Scene,
  socket: string,
  requests: readonly string[],
): Promise<string[][]> {
  assert.ok(requests.length <= INPUTS);
  const inputs = join(scene.folder, "inputs");
  mkdirSync(inputs);
  for (let i = 0; i < INPUTS; i++) {
    writeFileSync(join(inputs, String(i).padStart(3, "0")), requests[i % requests.length]);
  }
  const sets = join(scene.folder, "sets");
  const { status, stdout, stderr } = await execute(
    [compile("stability"), scene.kcov, socket, inputs, "1", sets],
    { timeout: 100_000 },
  );
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^stable 100 of 100 /);
  return readFileSync(sets, "utf8").trimEnd().split("\n").map((line) => line.split(" ").slice(2));
}

async function check(
  node: string,
  expected: readonly Origin[],
  args: readonly string[] = [],
): Promise<void> {
  await using scene = new Scene();
  const server = await scene.serve();
  const { socket } = await scene.service("origins", {
    node,
    args: ["--experimental-vm-modules", "--no-warnings", ...args],
  });
  const names = [...expected.map(({ name }) => name), "unnamed"];
  const cases = names.flatMap((name) => BYTES.map((byte) => `${name} ${byte}`));
  const sets = await drive(scene, socket, cases);
  const blocks = scene.symbolize(sets.slice(0, cases.length).flat());
  const ran = new Map(cases.map((name, i) => [name, blocks.splice(0, sets[i].length)]));
  for (const origin of expected) {
    for (const byte of BYTES) {
      const name = `${origin.name} ${byte}`;
      assert.equal(textsOf(origin, ran.get(name)!), executedTexts(origin, byte), name);
    }
  }
  assert.equal(ran.get("vm again 1"), ran.get("vm 1"), "the same script has the same PCs");
  for (const block of ran.get("unnamed 1")!) assert.match(block, /\/services\/(?:serve|origins)\./);
  await assertTold(scene, server.warnings());
}

/** Each map that cannot be followed was reported once, and the script without a URL counted. */
async function assertTold(scene: Scene, warnings: string): Promise<void> {
  const lines = warnings.trimEnd().split("\n").sort();
  const prefix = `kcovfs: Cannot follow the source map of file://${FILES}/broken/`;
  const reasons = {
    bad_json: "it is no JSON",
    bad_mappings: "its mappings make no sense at character 6",
    bad_version: "its version is 2, not 3",
    folder: `${FILES}/built is no regular file`,
    missing: `cannot open ${FILES}/broken/missing.map: ENOENT`,
    remote: "https://example.com/remote.map is not fetched",
  };
  assert.equal(
    lines,
    Object.entries(reasons).map(([name, reason]) =>
      `${prefix}${name}.mjs: ${reason}; its blocks are placed in itself`
    ),
  );
  const { stdout } = await scene.command("ps");
  assert.match(stdout, /1 script without a URL/);
}

origins.before(() => {
  compile("stability");
});

origins("scripts of every origin are read to the block on Node 20", async () => {
  await check(NODES["Node 20"], ORIGINS);
});

for (const name of ["Node 24", "Node 26"]) {
  origins(`scripts of every origin, stripped ones among them, are read on ${name}`, async () => {
    await check(NODES[name], [...ORIGINS, ...STRIPPED]);
  });
}

origins("what Node 24 compiles stands where it stands when types are stripped", async () => {
  await check(NODES["Node 24"], [...ORIGINS, ...STRIPPED], ["--experimental-transform-types"]);
});

origins.run();
