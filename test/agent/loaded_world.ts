/** Programs whose scripts get probes as they are loaded. Those scripts print their names when they run. */
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { NewSource } from "../../src/messages/protocol.ts";
import { AgentWorld, type Ended } from "./agent_world.ts";

/** The result of a program. */
export interface Loaded extends Ended {
  /** The files for which probes were asked, in order; by URL where there is no file. */
  readonly asked: string[];
  /** The files' sources, as they were last asked for. */
  readonly sources: ReadonlyMap<string, string>;
}

/** A main script that prints at its end which scripts have run with probes. */
export const SAY = "process.on('exit', () => console.log((globalThis.ran ?? []).join()));";

/** The way to run a program. */
export interface LoadOptions {
  /** Arguments before the main file; `./` is the program's folder. */
  readonly args?: readonly string[];
  /** The main file. @default {"main.mjs"} */
  readonly main?: string;
  /** The script that gets no probes. */
  readonly without?: string;
}

/**
 * Runs a program on a Node.
 *
 * @param files By their names, in one folder.
 */
export async function load(
  node: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  options: LoadOptions = {},
): Promise<Loaded> {
  const { args = [], main = "main.mjs", without } = options;
  await using world = await AgentWorld.listening();
  world.collector = "trace";
  const asked: string[] = [];
  const sources = new Map<string, string>();
  world.onSource = ({ url, source }: NewSource) => {
    const name = nameOf(url, world.folder);
    asked.push(name);
    sources.set(name, source);
    if (name === without) return {};
    return { code: `__kcov(8);(globalThis.ran ??= []).push(${JSON.stringify(name)});${source}` };
  };
  world.onStarted(({ link }) => world.welcome(link, { isHeld: false }));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(world.folder, name)), { recursive: true });
    fs.writeFileSync(path.join(world.folder, name), text);
  }
  const inFolder = (name: string) => path.join(world.folder, name);
  const own = args.map((arg) => arg.replace("./", `${world.folder}/`));
  const { ended } = world.start(node, [...own, inFolder(main)]);
  const { link } = await world.next();
  world.welcome(link, { isHeld: false });
  return { ...await ended, asked, sources };
}

function nameOf(url: string, folder: string): string {
  return url.startsWith("file:") ? path.relative(fs.realpathSync(folder), fileURLToPath(url)) : url;
}
