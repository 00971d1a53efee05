/** The function that a collection interrupted at its very beginning. */

import { pathToFileURL } from "node:url";
import type { BlockTable } from "./block_table.ts";
import type { FunctionIndex } from "./function_index.ts";
import type { ScriptReport } from "./script_report.ts";

/**
 * The place where a collection has interrupted JavaScript, by the agent's word: see
 * `agent/inside/interrupted.cts`. It comes before the collection's reports, as a report of no script.
 */
export interface Place {
  /** The script's name or URL. */
  readonly name: string;
  readonly position: number;
  /** Whether the function has a name that V8 gives to initialisers of class members. */
  readonly isInitializer: boolean;
  /** Whether the function may just have been resumed, if it can be. */
  readonly mayResume: boolean;
}

/** A function around the place, as the collection reports it. */
interface Candidate {
  readonly scriptId: string;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly functionName: string;
  readonly isRepeated: boolean;
}

/** A script whose blocks have PCs. */
interface KnownScript {
  readonly table: BlockTable;
  readonly index: FunctionIndex;
}

/** How many functions around a place are looked at: real ones are not nested so deep. */
const MOST_CANDIDATES = 256;
const NOBODY = "";

/** Reads a place from the first report of a collection; undefined when that is a report of a script. */
export function placeIn(report: ScriptReport): Place | undefined {
  const isPlace = report.scriptId === NOBODY && report.length === 1 && report.firstRange[1] === 1;
  if (!isPlace) return undefined;
  return {
    name: report.url,
    position: report.start[0],
    isInitializer: isInitializer(report.nameOf(0)),
    mayResume: report.count[0] !== 0,
  };
}

/** V8 calls them `<instance_members_initializer>` and `<static_initializer>`. */
function isInitializer(functionName: string): boolean {
  return functionName.startsWith("<");
}

/**
 * A function whose call V8 has counted, but none of its blocks yet.
 *
 * V8 counts a call in the prologue of a function, then checks for an interrupt, and then counts the function's
 * first block. A collection that interrupts it in between takes the call. The next collection finds counts of
 * blocks without a call, and leaves the function out if they are all the same
 * (`Coverage::Collect` in `debug/debug-coverage.cc`). So if it is left out there, all of it was executed, as
 * if it was reported with one range.
 */
export class EnteredFunction {
  readonly #place: Place;
  readonly #urls: ReadonlySet<string>;
  /** By script, range and name. */
  readonly #candidates = new Map<string, Candidate>();

  constructor(place: Place) {
    this.#place = place;
    this.#urls = urlsOf(place.name);
  }

  /**
   * Whether a collection that interrupts at this place changes nothing: either nothing has run in between, or
   * the function was called anew and that collection reports it by the new call.
   */
  isAt(place: Place): boolean {
    const { name, position, isInitializer, mayResume } = this.#place;
    return position === place.position && name === place.name &&
      isInitializer === place.isInitializer && mayResume === place.mayResume;
  }

  /**
   * Takes a report of the collection that interrupted the function. It has the function: its call was
   * counted.
   */
  find(report: ScriptReport): void {
    this.#eachAround(report, (key, index) => {
      // Without block counters the call has already reported the first block.
      if (report.isBlockCoverage[index] === 0 || this.#candidates.size === MOST_CANDIDATES) return;
      const range = report.firstRange[index];
      this.#candidates.set(key, {
        scriptId: report.scriptId,
        start: report.start[range],
        end: report.end[range],
        count: report.count[range],
        functionName: report.nameOf(index),
        isRepeated: report.isRepeated(index),
      });
    });
  }

  /** Takes a report of the next collection: a function that is in it needs no help. */
  drop(report: ScriptReport): void {
    this.#eachAround(report, (key) => this.#candidates.delete(key));
  }

  /** Goes over the functions around the place, if the script may be the one. */
  #eachAround(report: ScriptReport, action: (key: string, index: number) => void): void {
    if (!this.#urls.has(report.url)) return;
    const { position } = this.#place;
    const { firstRange, start, end } = report;
    let depth = 0;
    for (let index = 0; index < report.length; index++) {
      const range = firstRange[index];
      if (start[range] > position || end[range] <= position) continue;
      if (range === firstRange[index + 1]) continue;
      if (++depth > MOST_CANDIDATES) return;
      action(`${report.scriptId} ${start[range]} ${end[range]} ${report.nameOf(index)}`, index);
    }
  }

  /** The ids of the scripts that the function may be in. */
  get scriptIds(): Set<string> {
    return new Set(Array.from(this.#candidates.values(), ({ scriptId }) => scriptId));
  }

  /** The row of the function in a script's table; undefined when it is in none, or cannot be determined. */
  rowIn(scriptId: string, script: KnownScript): number | undefined {
    const found = new Map<number, Candidate>();
    for (const candidate of this.#candidates.values()) {
      const row = candidate.scriptId === scriptId ? this.#rowOf(candidate, script) : undefined;
      if (row !== undefined) found.set(row, candidate);
    }
    if (found.size > 1) {
      for (const [row, { count }] of found) if (count > 0) found.delete(row);
    }
    const [row] = found.keys();
    return found.size === 1 ? row : undefined;
  }

  #rowOf(candidate: Candidate, { table, index }: KnownScript): number | undefined {
    const { start, end, functionName, isRepeated } = candidate;
    const { position, mayResume } = this.#place;
    // On Node 20 a default constructor has the position of its class's initialiser, and is never reported.
    if (isInitializer(functionName) !== this.#place.isInitializer) return undefined;
    const row = index.resolve(index.find(start, end), functionName, isRepeated);
    if (row < 0 || (mayResume && table.isResumed[row] !== 0)) return undefined;
    const isAlias = start !== table.functionStart[row] || end !== table.functionEnd[row];
    return position === (isAlias ? start : table.functionEntry[row]) ? row : undefined;
  }
}

/** The URLs that coverage may give the script: Node tells the inspector of files by their URLs. */
function urlsOf(name: string): ReadonlySet<string> {
  const urls = new Set([name]);
  if (!name.startsWith("/")) return urls;
  return urls.add(`file://${name}`).add(pathToFileURL(name).href);
}
