/** A thread whose probes write, and the worker's part of the agent for it. */
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Areas } from "../../src/agent/worker/areas.ts";
import { AREA, AREAS_SIZE, CONTROL, CONTROL_SIZE } from "../../src/messages/shared_words.ts";
import type { TracedArea } from "../../src/messages/protocol.ts";
import { TURNS_SIZE } from "../../src/messages/turns.ts";
import { makeSharedFile, SharedFile } from "../../src/base/shared_file.ts";
import { SharedFolder } from "../../src/base/shared_folder.ts";
import { until } from "../until.ts";

const PROBES = fileURLToPath(new URL("../../src/agent/inside/probes.cjs", import.meta.url));
const OWNER = { mode: 0o600, uid: 0, gid: 0 };

/**
 * The isolate: it says where its window is, and then follows orders. `hit` and `compare` call the probes;
 * `loop` hits with numbers from 0 on, and counts them in a word, until that word's neighbour is set.
 * `timeouts` runs so many scripts that hit, until their time is up: blocks from 0 on, or with `isRound` the
 * first 8 again and again. `times`: how often it hits the list.
 *
 * It stops before or after one of its calls of `Atomics.compareExchange`, or of `Math.imul`, which folding
 * calls.
 */
const ISOLATE = `
const { parentPort, workerData } = require("node:worker_threads");
const vm = require("node:vm");
const { compareExchange } = Atomics;
const stop = new Int32Array(workerData.stop);
const stand = () => {
  if (Atomics.load(stop, 0) === 0 || Atomics.sub(stop, 0, 1) !== 1) return;
  Atomics.store(stop, 1, 1);
  Atomics.wait(stop, 1, 1);
};
if (workerData.mayStop) Atomics.compareExchange = (...all) => {
  stand();
  const found = compareExchange(...all);
  stand();
  return found;
};
const { imul } = Math;
if (workerData.mayStop) Math.imul = (a, b) => {
  stand();
  return imul(a, b);
};
const { makeProbes, WINDOW_SIZE, BLOCKS } = require(workerData.probes);
const { readlinkSync } = require("node:fs");
const probes = makeProbes(new Int32Array(workerData.control));
const counter = new Int32Array(workerData.counter);
parentPort.on("message", ({ hits = [], times = 1, records = [], timeouts = 0, isRound, loop }) => {
  for (let time = 0; time < times; time++) for (const pc of hits) probes.hit(pc);
  for (const [pc, ...record] of records) probes.compare(pc, ...record);
  for (let i = 0; i < timeouts; i++) {
    try {
      const next = isRound ? "i = (i + 1) % 8" : "i++";
      vm.runInNewContext("for (let i = 0;; " + next + ") hit(8 * i)", probes, { timeout: 1 });
    } catch (error) {
      if (error.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
  }
  for (let i = 0; loop && Atomics.load(counter, 1) === 0; i++) {
    probes.hit(i);
    Atomics.store(counter, 0, i + 1);
    for (let pause = 0; pause < 50; pause++) Atomics.load(counter, 1);
  }
  parentPort.postMessage("done");
});
const tid = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
const { address, blocks } = probes;
parentPort.postMessage({ address, size: WINDOW_SIZE, blocks, blocksSize: BLOCKS, tid });
`;

/** A record of a comparison: its PC, its type, and the halves of two arguments. */
export type Comparison = readonly [number, number, number, number, number, number];

export class Isolate implements AsyncDisposable {
  readonly areas: Areas;
  readonly control: Int32Array;
  readonly windowSize: number;
  readonly #worker: Worker;
  readonly #counter: Int32Array;
  readonly #stop: Int32Array;

  private constructor(parts: {
    worker: Worker;
    control: Int32Array;
    counter: Int32Array;
    stop: Int32Array;
    said: { address: bigint; size: number; blocks: bigint; blocksSize: number; tid: number };
  }) {
    const { worker, control, counter, stop, said: { address, size, ...rest } } = parts;
    this.#worker = worker;
    this.#stop = stop;
    this.#counter = counter;
    this.control = control;
    this.windowSize = size;
    this.areas = new Areas({ control, window: address, windowSize: size, ...rest });
  }

  /** @param options `mayStop`: for {@linkcode stopAt}; it makes hits slower. */
  static async start({ mayStop = false } = {}): Promise<Isolate> {
    const [control, counter, stop] = [CONTROL_SIZE, 8, 8].map((size) =>
      new Int32Array(new SharedArrayBuffer(size))
    );
    const shared = { control: control.buffer, counter: counter.buffer, stop: stop.buffer };
    const workerData = { probes: PROBES, mayStop, ...shared };
    const worker = new Worker(ISOLATE, { eval: true, workerData });
    const [said] = await once(worker, "message");
    return new Isolate({ worker, control, counter, stop, said });
  }

  /**
   * Hits, and stops at a place: 1 is before the first atomic step of the hit, 2 after it, 3 before the
   * second, and so on. Resolves when it has stopped, with a function that lets it go on.
   */
  async stopAt(place: number, hit: number): Promise<() => Promise<void>> {
    Atomics.store(this.#stop, 0, place);
    const done = this.hit(hit);
    await until(() => Atomics.load(this.#stop, 1) === 1);
    return async () => {
      Atomics.store(this.#stop, 1, 0);
      Atomics.notify(this.#stop, 1);
      await done;
    };
  }

  /** Whether the isolate says that a hit is writing by the table of areas. */
  get isBusy(): boolean {
    return Atomics.load(this.control, CONTROL.busy) !== 0;
  }

  /** The shared words; `more`: whether the tables say where hits go besides the window. */
  get words(): { limit: number; more: number; comparisons: number } {
    const { control } = this;
    const limit = control[CONTROL.limit];
    const more = limit === control[CONTROL.enough] ? 0 : 1;
    return { limit, more, comparisons: control[CONTROL.comparisons] };
  }

  /** Where the first area of the table is mapped. */
  get firstAddress(): bigint {
    const { control } = this;
    const table = CONTROL.areas + (control[CONTROL.generation] & 1) * AREAS_SIZE;
    const [low, high] = [AREA.low, AREA.high].map((half) =>
      BigInt(control[table + 1 + half] >>> 0)
    );
    return high << 32n | low;
  }

  async #do(task: object): Promise<void> {
    const done = once(this.#worker, "message");
    this.#worker.postMessage(task);
    await done;
  }

  hit(...hits: number[]): Promise<void> {
    return this.#do({ hits });
  }

  /** Hits all of these so often. */
  repeat(hits: readonly number[], times: number): Promise<void> {
    return this.#do({ hits, times });
  }

  /** Runs so many scripts that hit until their timeout of 1 ms is up; `isRound`: the first 8 blocks only. */
  timeOut(timeouts: number, { isRound = false } = {}): Promise<void> {
    return this.#do({ timeouts, isRound });
  }

  compare(...records: Comparison[]): Promise<void> {
    return this.#do({ records });
  }

  /** Hits until it is told to stop; resolves when it has begun. */
  async loop(): Promise<() => Promise<void>> {
    const done = this.#do({ loop: true });
    await this.goOn(1);
    return async () => {
      Atomics.store(this.#counter, 1, 1);
      await done;
    };
  }

  /** Waits for so many more hits. */
  async goOn(hits = 1000): Promise<void> {
    const before = Atomics.load(this.#counter, 0);
    await until(() => Atomics.load(this.#counter, 0) - before >= hits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#counter, 1, 1);
    await this.#worker.terminate();
  }
}

export class AreasWorld implements AsyncDisposable {
  readonly #folder: SharedFolder;
  #made = 0;

  private constructor(folder: SharedFolder) {
    this.#folder = folder;
  }

  static async make(): Promise<AreasWorld> {
    return new AreasWorld(await SharedFolder.make());
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** An area of so many words, in a file of its own. */
  area(words: number, options: Partial<TracedArea> = {}): TracedArea {
    const file = new SharedFile(path.join(this.folder, String(this.#made++)), OWNER);
    file.grow(words * 8);
    fs.closeSync(file.fd);
    const turns = `${file.path}.turns`;
    makeSharedFile(turns, { bytes: TURNS_SIZE, ...OWNER });
    const own = { takesComparisons: false, isShared: false, turns };
    return { id: file.path, path: file.path, words, ...own, ...options };
  }

  /** Words of an area, from one on. */
  words(area: TracedArea, count: number, from = 0): bigint[] {
    return [...new BigUint64Array(read(area, count, from))];
  }

  /** The PCs in an area, by their lower halves. */
  hits(area: TracedArea): number[] {
    const count = Number(this.words(area, 1)[0]);
    const halves = new Uint32Array(read(area, count, 1));
    return Array.from(
      { length: count },
      (_, i) => halves[2 * i + 1] === 0xffffffff ? halves[2 * i] : NaN,
    );
  }

  /** The writer whose turn it is in a shared area; 0 for none. */
  turn({ turns }: TracedArea): number {
    return new Int32Array(fs.readFileSync(turns!).buffer.slice(0, 4))[0];
  }

  write({ path }: TracedArea, word: number, value: bigint): void {
    const fd = fs.openSync(path, "r+");
    fs.writeSync(fd, new Uint8Array(BigUint64Array.of(value).buffer), 0, 8, word * 8);
    fs.closeSync(fd);
  }

  /** How often files of the folder are mapped and open in this process. */
  get held(): { mapped: number; open: number } {
    const maps = fs.readFileSync("/proc/self/maps", "utf8").split("\n");
    const links = fs.readdirSync("/proc/self/fd").map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    });
    const isOurs = (text: string) => text.includes(`${this.folder}/`);
    return { mapped: maps.filter(isOurs).length, open: links.filter(isOurs).length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

function read({ path }: TracedArea, count: number, from: number): ArrayBuffer {
  const fd = fs.openSync(path, "r");
  const bytes = new Uint8Array(count * 8);
  fs.readSync(fd, bytes, 0, bytes.length, from * 8);
  fs.closeSync(fd);
  return bytes.buffer;
}
