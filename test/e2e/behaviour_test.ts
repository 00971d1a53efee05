import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, execute, Scene, SERVICES } from "./harness.ts";
import { COUNTS, DIRECT, FAULTS, type Measure } from "./measures.ts";

interface Context {
  scene: Scene;
  socket: string;
  paths: Paths;
  measure: Measure;
}

/** The lines of the service that belong to each path. */
class Paths {
  readonly #file: string;
  /** Path by line; lines of no path are missing. */
  readonly #byLine = new Map<number, number>();

  constructor(file: string) {
    this.#file = file;
    let path: number | undefined;
    readFileSync(file, "utf8").split("\n").forEach((text, i) => {
      const name = text.match(/^function path(\d\d)\(/);
      if (name) path = Number(name[1]);
      if (path !== undefined) this.#byLine.set(i + 1, path);
      if (text === "}") path = undefined;
    });
  }

  /** Checks that blocks are those of a path, with its entry, and of no other. */
  check(path: number, blocks: readonly string[]): void {
    const found = new Set<number>();
    for (const block of blocks) {
      const [file, range] = [block.slice(0, block.lastIndexOf(":")), block.split(":").at(-1)!];
      const owner = file === this.#file ? this.#byLine.get(parseInt(range, 10)) : undefined;
      if (owner !== undefined) found.add(owner);
    }
    assert.equal([...found], [path], `path ${path}: ${blocks.join(" ")}`);
  }
}

/** @param options `isShared`: other clients use the service, so that other paths may be there, too. */
async function run(
  context: Context,
  scenario: string,
  options: { timeout?: number; isShared?: boolean } = {},
): Promise<number> {
  const { scene, socket, paths, measure } = context;
  const { status, signal, stdout, stderr } = await execute(
    [compile("behaviour"), scene.kcov, socket, scenario],
    { timeout: options.timeout ?? 60_000, env: measure.env },
  );
  assert.is(stderr, "");
  assert.is(status, 0, `${status} ${signal}`);
  const reads = stdout.trim().split("\n").filter(Boolean).map((line) => line.split(" "));
  const pcs = [...new Set(reads.flatMap(([, ...pcs]) => pcs))];
  const lines = scene.symbolize(pcs);
  const where = new Map(pcs.map((pc, i) => [pc, lines[i]]));
  for (const [path, ...found] of reads) {
    const blocks = found.map((pc) => where.get(pc)!);
    const isTwice = new Set(found).size < found.length;
    assert.ok(!isTwice || measure !== COUNTS, "a PC is there twice");
    if (options.isShared) assert.ok(blocks.length > 0);
    else paths.check(Number(path), blocks);
  }
  return reads.length;
}

const SCENARIOS = {
  loop: ["the plain loop reads the blocks of its request and no others", 64],
  reset_by_ioctl: ["KCOV_RESET_TRACE forgets what ran before it", 16],
  disabled_before_reading: ["what runs after KCOV_DISABLE is not in the area", 16],
  closed_while_mapped: ["a descriptor that is closed stops nothing while the area is mapped", 8],
  duplicated: ["a duplicate descriptor is the same instance", 8],
  mapped_twice: ["two mappings show one area", 9],
  mapped_otherwise: ["a read-only and a private mapping show the area too", 8],
  by_read: ["read(2) returns the area as it is just then", 16],
  passed_on: ["a process that got the descriptor from another owns what it enables", 8],
  forked: ["a forked child shares the area and is not the owner", 16],
  child_owns: ["what a child caused is read by its parent when it has exited", 8],
  executed: ["tracing goes on across exec", 8],
  signalled: ["a storm of signals disturbs neither faults nor ioctls", 64],
  overflow: ["an area that is full drops PCs silently", 0],
  odd_counts: ["a client may set the count to anything", 1],
} as const;

const MEASURES = {
  behaviour: COUNTS,
  "behaviour where probes write": DIRECT,
  "behaviour of probes": FAULTS,
};

for (const [name, measure] of Object.entries(MEASURES)) {
  const behaviour = suite<Context>(name);

  behaviour.before(async (context) => {
    compile("behaviour");
    context.measure = measure;
    context.scene = new Scene();
    await context.scene.serve(...measure.options);
    context.socket = (await context.scene.service("paths")).socket;
    context.paths = new Paths(join(SERVICES, "paths.cjs"));
  });

  behaviour.after(async (context) => {
    await context.scene[Symbol.asyncDispose]();
  });

  for (const [scenario, [sentence, reads]] of Object.entries(SCENARIOS)) {
    behaviour(sentence, async (context) => {
      assert.is(await run(context, scenario), reads);
    });
  }

  behaviour("eight threads with an instance each read at a time", async (context) => {
    assert.is(await run(context, "eight_threads", { isShared: true }), 200);
  });

  behaviour("a client clears all 512 MiB of the largest area", async (context) => {
    assert.is(await run(context, "cleared", { timeout: 120_000 }), 2);
  });

  behaviour.run();
}
