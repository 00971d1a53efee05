/** A launcher is no target: the service is, under the name that the user gave. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { TargetRow } from "../../src/messages/requests.ts";
import { execute, KCOVFS, Scene } from "./harness.ts";

const launchers = suite<{ scene: Scene }>("launchers");

/** Prints the targets while it is one. */
const PROGRAM = `
const { execFileSync } = require("node:child_process");
process.stdout.write(execFileSync(process.env.KCOVFS, ["ps", "--json"]));
`;
/** Starts the program as tsx does: by its own Node, with the same arguments. */
const STARTER = `
import { spawn } from "node:child_process";
const child = spawn(process.execPath, process.argv.slice(2).filter((word) => word !== "--esm"), { stdio: "inherit" });
child.on("close", (status) => process.exitCode = status);
`;

/** Main scripts, as in real packages. */
const PACKAGES: readonly [name: string, script: string, options?: readonly string[]][] = [
  ["tsx", "dist/cli.mjs"],
  ["pnpm", "bin/pnpm.mjs"],
  ["yarn", "bin/yarn.mjs"],
  ["corepack", "dist/yarn.mjs"],
  ["ts-node", "dist/bin.js", ["--esm"]],
];

launchers.before(async (context) => {
  const scene = context.scene = new Scene();
  await scene.serve();
  writeFileSync(join(scene.folder, "program.cjs"), PROGRAM);
  writeFileSync(
    join(scene.folder, "package.json"),
    '{ "scripts": { "start": "node program.cjs" } }',
  );
  mkdirSync(join(scene.folder, "node_modules/.bin"), { recursive: true });
  for (const [name, script] of PACKAGES) {
    const file = join(scene.folder, "node_modules", name, script);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, STARTER);
    const home = join(scene.folder, "node_modules", name, "package.json");
    writeFileSync(home, JSON.stringify({ name, type: "module" }));
    symlinkSync(file, join(scene.folder, "node_modules/.bin", name));
  }
});

launchers.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

/** The names of the living targets, as the started program sees them. */
async function namesOf(
  scene: Scene,
  options: readonly string[],
  command: readonly string[],
): Promise<string[]> {
  const line = ["sh", "-c", 'cd "$0" && exec "$@"', scene.folder, KCOVFS, "run", ...options, "--"];
  const { stdout, stderr, status } = await execute([...line, ...command], {
    env: { KCOVFS_MOUNT: scene.mount, KCOVFS },
  });
  assert.is(status, 0, stderr);
  const rows: TargetRow[] = JSON.parse(stdout.slice(stdout.indexOf("[")));
  return rows.filter(({ state }) => state !== "ended").map(({ name }) => name);
}

launchers("npm and npx leave the name to the service", async ({ scene }) => {
  assert.equal(await namesOf(scene, ["--name", "api"], ["npm", "start"]), ["api"]);
  const npx = ["npx", "--no-install", "-c", "node program.cjs"];
  assert.equal(await namesOf(scene, ["--name", "api"], npx), ["api"]);
  assert.equal(await namesOf(scene, [], ["npm", "start"]), ["program"]);
});

launchers("npm is a target where the target is called so", async ({ scene }) => {
  const names = await namesOf(scene, ["--name", "npm"], ["npm", "start"]);
  assert.equal(names, ["npm", "npm.program"]);
});

for (const [name, , options = []] of PACKAGES) {
  launchers(`so does ${name}`, async ({ scene }) => {
    const script = join(scene.folder, "node_modules/.bin", name);
    const command = [process.execPath, script, ...options, "program.cjs"];
    assert.equal(await namesOf(scene, ["--name", "api"], command), ["api"]);
  });
}

launchers("a program of one's own in such a place is a target", async ({ scene }) => {
  const file = join(scene.folder, "own/tsx/dist/cli.mjs");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(join(scene.folder, "own/tsx/package.json"), '{ "type": "module" }');
  writeFileSync(file, STARTER);
  const command = [process.execPath, file, "program.cjs"];
  assert.equal(await namesOf(scene, ["--name", "api"], command), ["api", "api.program"]);
});

launchers("a ts-node that runs the program itself is the target", async ({ scene }) => {
  const command = [
    process.execPath,
    join(scene.folder, "node_modules/.bin/ts-node"),
    "program.cjs",
  ];
  assert.equal(await namesOf(scene, ["--name", "api"], command), ["api", "api.program"]);
});

launchers.run();
