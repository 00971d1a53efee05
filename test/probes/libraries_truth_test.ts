/**
 * Compares the probes of real libraries with V8's counts. A copy of the libraries, with probes in all files
 * that are loaded, gets the same inputs, and after each the same blocks must have been executed.
 */

import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prepare, type Prepared } from "../../src/probes/prepare.ts";
import { executedOf } from "../blocks/truth.ts";
import { NODES, type ReportedScript, reportLibraries, runProbed } from "../blocks/v8_answers.ts";

const test = suite("probes/libraries against V8");

const TEST = fileURLToPath(new URL("../../../test/", import.meta.url));
const DRIVER = "fixtures/programs/drive_libraries.mjs";
/** Entries of test/node_modules that are no libraries. */
const RUNTIMES = /^(?:\.bin|@deno|deno|node\d+)(?:\/|$)/;

/** A file with probes. */
interface Probed {
  readonly url: string;
  readonly prepared: Prepared;
  readonly firstPc: number;
}

/** A copy of the libraries, some of whose files have probes. */
class Copy {
  readonly #root = mkdtempSync(join(tmpdir(), "kcovfs-libraries-"));
  readonly #folder = join(this.#root, "test");
  readonly #files = new Map<string, Probed>();
  #nextPc = 0x80000000;

  constructor() {
    // Its real path, since it may be a link: the copy is written to, and a link would lead to the original.
    const modules = realpathSync(join(TEST, "node_modules"));
    cpSync(modules, join(this.#folder, "node_modules"), {
      recursive: true,
      filter: (source) => !RUNTIMES.test(relative(modules, source)),
    });
    cpSync(join(TEST, DRIVER), this.driver);
    // Some libraries look for others, which they find further up.
    symlinkSync(join(TEST, "../node_modules"), join(this.#root, "node_modules"));
  }

  get driver(): string {
    return join(this.#folder, DRIVER);
  }

  get files(): Iterable<Probed> {
    return this.#files.values();
  }

  add({ url, isModule, source }: ReportedScript): void {
    if (this.#files.has(url)) return;
    const prepared = prepare(source, { isModule });
    const firstPc = this.#nextPc;
    this.#nextPc += 8 * prepared.table.blockStart.length;
    const path = join(this.#folder, relative(TEST, fileURLToPath(url)));
    writeFileSync(isModule ? path : `${path}.probed`, prepared.emit({ firstPc, url }).code);
    this.#files.set(url, { url, prepared, firstPc });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true });
  }
}

const copy = new Copy();

test.after(() => copy.remove());

/** The differences, as text. */
function differences({ url, prepared, firstPc }: Probed, counted: Set<number>, pcs: Set<number>) {
  const { table, unprobed } = prepared;
  return Array.from(table.blockStart, (start, block) => {
    const isReached = pcs.has((firstPc + 8 * block) | 0);
    if (isReached === counted.has(block)) return "";
    const side = isReached ? "probed" : "counted";
    return `${url}: block ${block} at ${start}, ${unprobed.get(block)}: only ${side}`;
  }).filter((text) => text !== "");
}

for (const { v8, path } of NODES) {
  test(`the probes of nine libraries reach with each input the blocks that V8 ${v8} counts`, () => {
    const { scripts, observations } = reportLibraries(path);
    for (const script of scripts) {
      if (script.url.includes("/test/node_modules/")) copy.add(script);
    }
    const probed = runProbed(path, copy.driver);
    assert.is(probed.length, observations.length);
    let blocks = 0;
    const wrong: string[] = [];
    for (const [input, observation] of observations.entries()) {
      const pcs = new Set(probed[input]);
      for (const file of copy.files) {
        const functions = observation.find(({ url }) => url === file.url)?.functions ?? [];
        const counted = executedOf(file.prepared.table, functions);
        blocks += counted.size;
        wrong.push(...differences(file, counted, pcs).map((text) => `${input}: ${text}`));
      }
    }
    process.stdout.write(`V8 ${v8}: ${observations.length} inputs, ${blocks} blocks\n`);
    assert.equal(wrong.slice(0, 20), []);
    assert.ok(blocks > 30_000, String(blocks));
  });
}

test.run();
