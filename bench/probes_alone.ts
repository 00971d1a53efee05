/** The agent's probes in this very process, without a server, to measure them in a loop. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Areas } from "../src/agent/worker/areas.ts";
import { CONTROL_SIZE } from "../src/messages/shared_words.ts";
import type { TracedArea } from "../src/messages/protocol.ts";
import { TURNS_SIZE } from "../src/messages/turns.ts";
import { makeSharedFile, SharedFile } from "../src/base/shared_file.ts";
import { mapShared } from "../src/base/system_calls.ts";
import { SharedFolder } from "../src/base/shared_folder.ts";

const require = createRequire(import.meta.url);
const { makeProbes, WINDOW_SIZE, BLOCKS } = require(
  "../src/agent/inside/probes.cjs",
) as import("../src/agent/inside/probes.cts").Parts;
const { declareProbeFunctions, makeProbeFunctions } = require(
  "../src/agent/inside/probe_functions.cjs",
) as import("../src/agent/inside/probe_functions.cts").Parts;
const { inlineProbes } = require("../src/agent/inside/inline_probes.cjs") as {
  inlineProbes: () => () => void;
};

/** The properties of an area. */
export interface AreaOptions {
  /** @default {1048576} */
  readonly words?: number;
  readonly isShared?: boolean;
  readonly takesComparisons?: boolean;
  readonly folds?: boolean;
}

/** The words of the largest area that the window shows whole. */
export const WINDOW_WORDS = WINDOW_SIZE / 8;

const OWNER = { mode: 0o600, uid: process.geteuid!(), gid: process.getegid!() };

/** A target's isolate, as `agent/inside/start_probes.cts` makes it, and its clients. */
export class ProbesAlone implements AsyncDisposable {
  readonly #folder: SharedFolder;
  readonly #areas: Areas;
  readonly #files: SharedFile[] = [];
  /** The contents of the areas. */
  readonly #words: Int32Array[] = [];

  private constructor(folder: SharedFolder, areas: Areas) {
    this.#folder = folder;
    this.#areas = areas;
  }

  static async start(): Promise<ProbesAlone> {
    const control = new Int32Array(new SharedArrayBuffer(CONTROL_SIZE));
    const probes = makeProbes(control);
    declareProbeFunctions(makeProbeFunctions(control, probes), {
      global: globalThis,
      run: (script) => script.runInThisContext(),
    });
    inlineProbes();
    const areas = new Areas({
      control,
      window: probes.address,
      windowSize: WINDOW_SIZE,
      ...{ blocks: probes.blocks, blocksSize: BLOCKS },
      tid: process.pid,
    });
    return new ProbesAlone(await SharedFolder.make(), areas);
  }

  /** Has probes write into new areas, and into no others. */
  async write(options: readonly AreaOptions[]): Promise<void> {
    const areas = options.map((one, i): TracedArea => {
      const { words = WINDOW_WORDS, isShared = false, takesComparisons = false, folds = false } =
        one;
      const path = join(this.#folder.path, `${this.#files.length + i}`);
      return { id: path, path, words, isShared, takesComparisons, folds, turns: `${path}.turns` };
    });
    for (const { path, words, turns } of areas) {
      makeSharedFile(turns!, { bytes: TURNS_SIZE, ...OWNER });
      const file = new SharedFile(path, OWNER);
      this.#files.push(file);
      file.grow(words * 8);
      this.#words.push(new Int32Array(mapShared(file.fd, words * 8).memory));
    }
    await this.#areas.set(areas);
  }

  /** Stores into `area[0]` of all areas, as a client does. */
  reset(count = 0): void {
    for (const words of this.#words) words[0] = count;
  }

  /** The count of the last area. */
  get count(): number {
    return this.#words.at(-1)?.[0] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) file[Symbol.dispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}
