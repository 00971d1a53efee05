/** Programs that only start others: the others are to be measured, under the name that was given. */
const fs = require("node:fs") as typeof import("node:fs");
const path = require("node:path") as typeof import("node:path");

/** The paths of their main scripts within their packages. */
const SCRIPTS: Readonly<Record<string, RegExp>> = {
  npm: /^bin\/np[mx](?:-cli)?(?:\.[cm]?js)?$/,
  pnpm: /^(?:bin|dist)\/pnp[mx]\.[cm]?js$/,
  yarn: /^(?:bin|lib)\/(?:yarn|cli)\.[cm]?js$/,
  "@yarnpkg/cli-dist": /^bin\/yarn\.[cm]?js$/,
  corepack: /^dist\/\w+\.[cm]?js$/,
  tsx: /^dist\/cli\.[cm]js$/,
  "ts-node": /^dist\/bin(?:-esm)?\.js$/,
};
/** The file that `yarn set version` puts into a project. */
const YARN_RELEASE = /\/\.yarn\/releases\/yarn-[^/]+\.[cm]?js$/;
/** How many folders deep these scripts lie in their packages. */
const DEPTH = 2;

/**
 * Whether this process is a launcher. It is not if the target's name is that of the program (`--name npm`):
 * then the launcher itself is to be measured.
 */
function isLauncher(): boolean {
  const launcher = launcherAt(process.argv[1]);
  if (launcher === undefined) return false;
  const name = process.env["KCOVFS_NAME"];
  return name === undefined || ![launcher, path.basename(process.argv[1]!)].includes(name);
}

function launcherAt(script: string | undefined): string | undefined {
  if (!script) return undefined;
  try {
    const file = fs.realpathSync(script);
    if (YARN_RELEASE.test(file)) return "yarn";
    const root = path.resolve(file, ...Array(DEPTH).fill(".."));
    const { name } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
    const isScript = Object.hasOwn(SCRIPTS, name) && SCRIPTS[name].test(path.relative(root, file));
    return isScript && !(name === "ts-node" && isInPlace(file)) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a ts-node runs the program in its own process: it does unless the program may be an ES module. */
function isInPlace(file: string): boolean {
  const given = process.argv.slice(2);
  const script = given.findIndex((word) => !word.startsWith("-"));
  const options = script < 0 ? given : given.slice(0, script);
  return path.basename(file) !== "bin-esm.js" && !options.includes("--esm");
}

const parts = { isLauncher };
module.exports = parts;
export type Parts = typeof parts;
