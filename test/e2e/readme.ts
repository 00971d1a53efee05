/** The documents, followed as their readers do: by the commands in them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execute, type Finished, KCOVFS, type Scene } from "./harness.ts";

const ROOT = join(KCOVFS, "../..");

/** The blocks of commands in the README of `examples/NAME`. */
export function readCommands(name: string): string[] {
  return blocksIn(readDocument(join("examples", name, "README.md")));
}

/** The blocks of commands in the section of a document that has this heading. */
export function readSection(document: string, heading: string): string[] {
  const [, section] = readDocument(document).split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`${document} has no section "${heading}"`);
  return blocksIn(section.split("\n## ")[0]);
}

function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function blocksIn(text: string): string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands);
}

/**
 * Runs a block of commands in the root, as its reader does. Files for `/tmp` and for the folder of the symbol
 * table go into the scene's folder.
 *
 * @param options `timeout`: ms after which it is killed.
 */
export function runCommands(
  scene: Scene,
  commands: string,
  options: { timeout: number },
): Promise<Finished> {
  const script = commands
    .replaceAll("/tmp/", `${scene.folder}/`)
    .replaceAll(/kcovfs (fuzz|mount|report)/g, `kcovfs $1 --state ${scene.state}`);
  const env = { PATH: `${join(ROOT, "bin")}:${process.env["PATH"]}`, GOCACHE: scene.folder };
  return execute(["sh", "-euc", `cd ${ROOT}\n${script}`], { ...options, env });
}
