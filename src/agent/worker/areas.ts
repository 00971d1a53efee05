import { closeSync, openSync, readFileSync } from "node:fs";
import { mapFile, mapZeros, unmap } from "../../base/system_calls.ts";
import {
  AREA,
  AREA_COMPARISONS,
  AREA_FOLDS,
  AREAS_SIZE,
  CONTROL,
} from "../../messages/shared_words.ts";
import type { TracedArea } from "../../messages/protocol.ts";
import { Turns, TURNS_SIZE } from "../../messages/turns.ts";

/** The isolate whose probes write. */
export interface Writer {
  /** Its shared words. */
  readonly control: Int32Array;
  /** The address of its window, and the window's bytes. */
  readonly window: bigint;
  readonly windowSize: number;
  /** The address of its map of blocks, and the map's bytes. */
  readonly blocks: bigint;
  readonly blocksSize: number;
  /** Its thread's number in this pid namespace. */
  readonly tid: number;
}

interface Mapping {
  readonly area: TracedArea;
  readonly address: bigint;
  readonly fd: number;
  /** Present once others have written into the area, too. */
  turns: Turns | undefined;
}

/**
 * ns of a running thread's own time after which the hit that it was in has certainly ended: a hit is some ten
 * instructions and a few page faults.
 */
const LONGEST_HIT = 2_000_000;

/**
 * ns that a tick counts for: less than it is, so that two are certainly more than {@linkcode LONGEST_HIT}.
 */
const TICK = LONGEST_HIT / 2;

/** ms after which a hit that is still busy is taken to have ended. */
const LONGEST_BUSY = 1000;

/** For the shared word `enough`: no limit equals this, so all hits beyond the limit go by the table. */
const NEVER = -1;

/** Maps areas for one isolate, and makes its probes write into them. */
export class Areas {
  readonly #writer: Writer;
  #mappings: readonly Mapping[] = [];
  #windowed: string | undefined;
  /** The file in which hits mark blocks. */
  #marked: string | undefined;
  /** The number of hits that were perhaps ended before they were done. */
  #ended = 0;
  /** Changes follow each other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  /**
   * Makes the isolate write into these areas and no others, and mark blocks in the file among them that takes
   * marks. Resolves when the isolate does so.
   *
   * An area that stays loses no hit meanwhile: the isolate goes by the new table first. Nothing is unmapped
   * before the writes by the old table are done.
   *
   * @throws when an area cannot be mapped; then nothing is changed.
   */
  set(areas: readonly TracedArea[]): Promise<void> {
    const change = this.#turn.then(() => this.#set(areas));
    this.#turn = change.catch(() => {});
    return change;
  }

  async #set(list: readonly TracedArea[]): Promise<void> {
    const { control, tid } = this.#writer;
    const before = this.#mappings;
    const areas = list.filter(({ takesMarks }) => !takesMarks);
    const mappings = this.#map(areas);
    this.#markIn(list.find(({ takesMarks }) => takesMarks)?.path);
    this.#mappings = mappings;
    this.#tell(mappings);
    const hasHits = mappings.some(({ area }) => !area.takesComparisons);
    const hasComparisons = mappings.some(({ area }) => area.takesComparisons);
    Atomics.store(control, CONTROL.comparisons, hasComparisons ? 1 : 0);
    Atomics.store(control, CONTROL.enough, hasHits ? NEVER : 0);
    Atomics.store(control, CONTROL.limit, 0);
    if (before.length > 0) {
      await untilBetweenHits(tid);
      await this.#untilIdle();
    }
    this.#showInWindow(mappings);
    const isIdle = Atomics.load(control, CONTROL.busy) === 0 || isGone(tid);
    for (const mapping of before) {
      if (mappings.some(({ area }) => area.id === mapping.area.id)) continue;
      if (!isIdle) this.#leaveZeros(mapping);
      endMapping(mapping, { isUnmapped: isIdle });
    }
  }

  /**
   * Resolves when the isolate no longer goes by any earlier table of areas, as far as can be known: a hit
   * that was ended before it was done, by the timeout of a `vm` script, leaves its count in `busy`. Await
   * {@linkcode untilBetweenHits} first, so that the isolate's writes have reached memory.
   */
  async #untilIdle(): Promise<void> {
    const { control, tid } = this.#writer;
    const end = performance.now() + LONGEST_BUSY;
    await until(() => {
      const busy = Atomics.load(control, CONTROL.busy);
      this.#ended = Math.min(this.#ended, busy);
      return busy <= this.#ended || isGone(tid) || performance.now() > end;
    });
    this.#ended = Atomics.load(control, CONTROL.busy);
  }

  /** The isolate may still write there: so there must be memory, but not the file. */
  #leaveZeros({ area, address, turns }: Mapping): void {
    mapZeros(address, area.words * 8);
    if (turns) mapZeros(turns.address, TURNS_SIZE);
  }

  /** Meanwhile a store goes either to the former file or to this one. */
  #markIn(path: string | undefined): void {
    if (path === this.#marked) return;
    const { blocks, blocksSize } = this.#writer;
    if (path === undefined) mapZeros(blocks, blocksSize);
    else {
      const fd = openSync(path, "r+");
      try {
        mapFile(fd, { bytes: blocksSize, at: blocks });
      } finally {
        closeSync(fd);
      }
    }
    this.#marked = path;
  }

  #map(areas: readonly TracedArea[]): Mapping[] {
    if (1 + areas.length * AREA.size > AREAS_SIZE) throw new Error("too many areas at a time");
    const added: Mapping[] = [];
    try {
      return areas.map((area) => {
        let mapping = this.#mappings.find(({ area: { id } }) => id === area.id);
        if (!mapping) added.push(mapping = beginMapping(area));
        if (area.isShared) mapping.turns ??= new Turns(area.turns!);
        return { ...mapping, area };
      });
    } catch (error) {
      for (const mapping of added) endMapping(mapping, { isUnmapped: true });
      throw error;
    }
  }

  /** Writes the table that the isolate does not go by, and then makes it go by that one. */
  #tell(mappings: readonly Mapping[]): void {
    const { control } = this.#writer;
    const generation = control[CONTROL.generation] + 1;
    const start = CONTROL.areas + (generation & 1) * AREAS_SIZE;
    control[start] = mappings.length;
    for (const [i, mapping] of mappings.entries()) {
      const row = start + 1 + i * AREA.size;
      control.set(rowOf(mapping), row);
    }
    Atomics.store(control, CONTROL.generation, generation);
  }

  /** The window shows an area for hits if it is the only one, and no other isolate writes into it. */
  #showInWindow(mappings: readonly Mapping[]): void {
    const { control, window, windowSize } = this.#writer;
    const forHits = mappings.filter(({ area }) => !area.takesComparisons);
    const only = forHits.length === 1 && !forHits[0].area.isShared ? forHits[0] : undefined;
    if (this.#windowed !== only?.area.id) {
      mapZeros(window, windowSize);
      if (only) {
        const bytes = Math.min(windowSize, only.area.words * 8);
        mapFile(only.fd, { bytes, at: window });
      }
      this.#windowed = only?.area.id;
    }
    if (!only) return;
    const limit = Math.min(only.area.words, windowSize / 8);
    Atomics.store(control, CONTROL.limit, limit);
    // One that folds is not at its end where it is full.
    if (limit === only.area.words && !only.area.folds) {
      Atomics.store(control, CONTROL.enough, limit);
    }
  }
}

function beginMapping(area: TracedArea): Mapping {
  const fd = openSync(area.path, "r+");
  try {
    return { area, address: mapFile(fd, { bytes: area.words * 8 }), fd, turns: undefined };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function endMapping(
  { area, address, fd, turns }: Mapping,
  { isUnmapped }: { isUnmapped: boolean },
): void {
  if (isUnmapped) {
    unmap(address, area.words * 8);
    if (turns) unmap(turns.address, TURNS_SIZE);
  }
  closeSync(fd);
  if (turns) closeSync(turns.fd);
}

/** The table's row for an area: see {@linkcode AREA}. */
function rowOf({ area, address, turns }: Mapping): Int32Array {
  const { words, takesComparisons, folds, isShared } = area;
  const row = new Int32Array(AREA.size);
  const flags = (takesComparisons ? AREA_COMPARISONS : 0) | (folds ? AREA_FOLDS : 0);
  row.set([...halvesOf(address), words, flags]);
  if (isShared) row.set([...halvesOf(turns!.address), turns!.fd, turns!.writer], AREA.turnsLow);
  return row;
}

function halvesOf(address: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n))];
}

/**
 * Resolves when a thread is no longer in the hit of the window that it was in when this was called: it
 * sleeps, which it does in no hit, or is gone, or has run for long enough since. From then on it reads the
 * shared words as they are now.
 *
 * The kernel reports how long a running thread has run only at ticks. The first tick may have interrupted the
 * thread in a hit, so the time before it does not count.
 */
async function untilBetweenHits(tid: number): Promise<void> {
  const before = ranFor(tid);
  let start: number | undefined;
  await until(() => {
    const ran = ranFor(tid);
    if (ran !== before) start ??= ran;
    return isAsleep(tid) || (start !== undefined && ran - start >= LONGEST_HIT);
  });
}

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    await new Promise((resolve) => turn < 20 ? setImmediate(resolve) : setTimeout(resolve, 1));
  }
}

/** Whether the thread sleeps in a system call, or has ended. */
function isAsleep(tid: number): boolean {
  return stateOf(tid) === "S" || isGone(tid);
}

function isGone(tid: number): boolean {
  return ["", "Z", "X"].includes(stateOf(tid));
}

/** The field after the command in `/proc/TID/stat`; empty if there is none. */
function stateOf(tid: number): string {
  const stat = readTask(tid, "stat");
  return stat.charAt(stat.lastIndexOf(")") + 2);
}

/** ns for which the thread has run: the first field of `schedstat`, or ticks if the kernel has none. */
function ranFor(tid: number): number {
  const ns = parseInt(readTask(tid, "schedstat"), 10);
  if (ns > 0) return ns;
  const fields = readTask(tid, "stat").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

function readTask(tid: number, file: string): string {
  try {
    return readFileSync(`/proc/self/task/${tid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
