/** Targets with probes, which write as the test says. */
import * as path from "node:path";
import type { TracedArea } from "../../src/messages/protocol.ts";
import type { AreaFile, EnabledArea } from "../../src/kcov/mod.ts";
import { SharedFile } from "../../src/base/shared_file.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { Registry } from "../../src/targets/registry.ts";
import type { Target } from "../../src/targets/target.ts";
import { Tracer } from "../../src/server/trace/writers.ts";
import { FakeLink } from "../targets/fake_link.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const OWNER = { mode: 0o600, uid: 0, gid: 0 };

/** The link of a target with probes. */
export class TracedLink extends FakeLink {
  /** The areas that it was told to write into, in order. */
  readonly told: (readonly TracedArea[])[] = [];
  /** Its answer. */
  onTrace: () => Promise<void> = () => Promise.resolve();
  urls: readonly string[] = [];

  trace(areas: readonly TracedArea[]): Promise<void> {
    this.told.push(areas);
    return this.onTrace();
  }

  listScripts(): Promise<readonly string[]> {
    return Promise.resolve(this.urls);
  }
}

/** An enabled instance of 512 words for all PCs, unless the options say otherwise. */
export function area(id: number, options: Partial<EnabledArea> = {}): EnabledArea {
  return { id: nodeId(id), words: 512, mode: "pc", scope: "all", ...options };
}

export class TracedWorld implements AsyncDisposable {
  readonly warnings: string[] = [];
  readonly registry: Registry;
  /** Files that the tracer has made and not disposed of, in order. */
  readonly files: AreaFile[] = [];
  readonly tracer: Tracer;
  /** Why no more files can be made. */
  failure: Error | undefined;
  readonly #folder: SharedFolder;
  #made = 0;

  private constructor(folder: SharedFolder, collectTimeout: number) {
    this.#folder = folder;
    this.registry = new Registry({ collectTimeout, hold: "auto" });
    this.tracer = new Tracer({
      registry: this.registry,
      makeFile: () => this.#makeFile(),
      reporter: { warn: (line) => this.warnings.push(line) },
    });
  }

  static async make({ collectTimeout = 5000 } = {}): Promise<TracedWorld> {
    return new TracedWorld(await SharedFolder.make(), collectTimeout);
  }

  #makeFile(): AreaFile {
    if (this.failure) throw this.failure;
    const file = new SharedFile(path.join(this.#folder.path, String(this.#made++)), OWNER);
    this.files.push(file);
    const dispose = file[Symbol.dispose].bind(file);
    return Object.assign(file, {
      [Symbol.dispose]: () => {
        dispose();
        this.files.splice(this.files.indexOf(file), 1);
      },
    });
  }

  /** Adds a target with probes, and welcomes it unless the options say otherwise. */
  async add(
    options: { isWelcome?: boolean; parent?: Target; unheld?: string } = {},
  ): Promise<{ link: TracedLink; target: Target; areas: readonly TracedArea[] }> {
    const { isWelcome = true, parent, unheld } = options;
    const link = new TracedLink();
    const info = { name: "api", pid: 7, runtime: "node", collector: "trace" } as const;
    const target = this.registry.add(link, {
      ...info,
      ...(parent && { parent }),
      ...(unheld !== undefined && { unheld }),
    });
    await this.tracer.join(target);
    return { link, target, areas: isWelcome ? this.tracer.welcome(target) : [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
