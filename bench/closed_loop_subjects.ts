/** The subjects of `closed_loop_bench.ts`, side by side: the same service, without and with coverage. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Scene } from "../test/e2e/harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "../test/e2e/measures.ts";

const HERE = fileURLToPath(new URL("../../bench/", import.meta.url));

/** A running service; the members are the arguments of `closed_loop.c`. */
export interface Subject {
  readonly name: string;
  /** The device, or `-` for a loop without one. */
  readonly kcov: string;
  readonly socket: string;
}

/** Scenes that end together. */
export class Scenes implements AsyncDisposable {
  readonly #scenes: Scene[] = [];

  add(): Scene {
    const scene = new Scene();
    this.#scenes.push(scene);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const scene of this.#scenes) await scene[Symbol.asyncDispose]();
  }
}

/** The command that installs missing parts; undefined when nothing is missing. */
export function findWants(): string | undefined {
  const isInstalled = existsSync(join(HERE, "node_modules/@jazzer.js/instrumentor"));
  return isInstalled ? undefined : "sh scripts/install.sh bench";
}

/** Starts a service once for each way to measure it. */
export async function startSubjects(scenes: Scenes, service: string): Promise<Subject[]> {
  const scene = scenes.add();
  const { socket } = await scene.service(service, { isPlain: true });
  return [
    { name: "no coverage", kcov: "-", socket },
    await measured("trace, direct", { scenes, service, measure: DIRECT }),
    await measured("trace, by faults", { scenes, service, measure: FAULTS }),
    await local("Jazzer.js", { scene, args: ["jazzer_service.cjs", service] }),
    await local("no coverage or optimisers", {
      scene,
      args: ["floor_service.cjs", service, "plain"],
    }),
    await local("the floor of v8", { scene, args: ["floor_service.cjs", service, "floor"] }),
    await measured("v8", { scenes, service, measure: COUNTS }),
  ];
}

/** A target of kcovfs. */
async function measured(
  name: string,
  options: { scenes: Scenes; service: string; measure: Measure },
): Promise<Subject> {
  const scene = options.scenes.add();
  const server = await scene.serve(...options.measure.options);
  const { socket } = await scene.service(options.service);
  const warnings = server.warnings();
  if (warnings !== "") throw new Error(`Cannot measure ${name}: ${warnings}`);
  return { name, kcov: scene.kcov, socket };
}

/** A service that nobody outside asks for its coverage. */
async function local(
  name: string,
  { scene, args: [file, service, ...rest] }: { scene: Scene; args: string[] },
): Promise<Subject> {
  const socket = join(scene.folder, name.replaceAll(" ", "-"));
  const child = scene.start([process.execPath, join(HERE, file), service, socket, ...rest]);
  await once(child.stdout!, "data");
  return { name, kcov: "-", socket };
}
