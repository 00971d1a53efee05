/** `kcovfs libfuzzer`, as a user has it: a target of six lines, one command, a finding. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, type Finished, KCOVFS, Scene } from "./harness.ts";

const libfuzzer = suite("libfuzzer");

/** ms; each takes seconds. */
const PATIENCE = 120_000;
const PACKAGE = "parse-pairs";

/** A package with a bug, as `npm i` would have put it there. */
function installPackage(folder: string): void {
  const place = join(folder, "node_modules", PACKAGE);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), JSON.stringify({ name: PACKAGE, main: "index.js" }));
  writeFileSync(
    join(place, "index.js"),
    `exports.parse = (text) => {
  const pairs = {};
  for (const pair of text.split(";")) {
    const [name, value] = pair.split("=");
    if (name === "") throw new SyntaxError("a name is missing");
    if (name[0] === "@" && name[1] === "!") pairs[name] = value.trim();
  }
  return pairs;
};
`,
  );
}

const TARGET = `import { parse } from "${PACKAGE}";
export function fuzz(data) {
  try {
    parse(data.toString("latin1"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}
`;

/** A folder with a target in it. */
function folderWith(scene: Scene, files: Record<string, string>): string {
  const folder = join(scene.folder, "user");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Runs `kcovfs` in a folder. */
function inFolder(folder: string, ...args: string[]): Promise<Finished> {
  return execute(["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, KCOVFS, ...args], {
    timeout: PATIENCE,
  });
}

libfuzzer("six lines and one command end with a finding, and the finding is replayed", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": TARGET });
  installPackage(folder);
  const found = await inFolder(
    folder,
    ...["libfuzzer", "target.mjs", "--state", scene.state, "--", "-seed=1"],
  );
  assert.is(found.status, 1, found.stderr);
  assert.match(found.stdout, /^== TypeError-\w{8}, after [\d,]+ executions, [\d.]+ s$/m);
  assert.match(found.stdout, /^TypeError: Cannot read properties of undefined/m);
  assert.match(found.stdout, /^ {4}at exports\.parse \(.*parse-pairs\/index\.js:6:/m);
  const [, replay] = /^replay: kcovfs (.*)$/m.exec(found.stdout)!;
  assert.not.match(found.stdout + found.stderr, /ERROR: libFuzzer/);
  const files = readdirSync(join(folder, "findings")).sort();
  assert.is(files.length, 2);
  assert.is(files[1], `${files[0]}.txt`);
  assert.match(readFileSync(join(folder, "findings", files[0]), "latin1"), /@!/);
  assert.match(readFileSync(join(folder, "findings", files[1]), "utf8"), /at exports\.parse/);

  const again = await inFolder(folder, ...replay.split(" "));
  assert.is(again.status, 1, again.stderr);
  assert.match(again.stdout, /^TypeError: Cannot read properties of undefined/m);
});

libfuzzer("a budget that ends without a finding is status 0", async () => {
  await using scene = new Scene();
  const folder = folderWith(scene, { "target.mjs": "export function fuzz() {}\n" });
  const args = ["libfuzzer", "target.mjs", "--state", scene.state, "--", "-runs=200"];
  const { status, stdout, stderr } = await inFolder(folder, ...args);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^nothing found in \d+ executions/m);
});

libfuzzer.run();
