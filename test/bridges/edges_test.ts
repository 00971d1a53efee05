/** `bridges/edges.h`, by a small C program that says what it makes of areas. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFile, execute } from "../e2e/harness.ts";

const edges = suite("bridges/edges");

const SOURCE = fileURLToPath(new URL("../../../test/bridges/edges.c", import.meta.url));
const DOCUMENT = fileURLToPath(new URL("../../../docs/folding.md", import.meta.url));
/** Counts end here. */
const MOST = 254;

edges.before(() => void compileFile(SOURCE));

/** A word of a PC. */
function pc(block: number): bigint {
  return 0xffffffff80000000n + 8n * BigInt(block);
}

/** A folded word. */
function folded(previous: number, block: number, count: number): bigint {
  return BigInt(count) << 56n | BigInt(previous) << 28n | BigInt(block);
}

function trace(...blocks: number[]): bigint[] {
  return blocks.map(pc);
}

interface Options {
  readonly size?: number;
}

/** Its answer for each area: the edges known, and the counters. */
async function count(lines: readonly (string | bigint[])[], { size }: Options = {}) {
  const input = lines.map((line) =>
    typeof line === "string" ? line : line.map((word) => word.toString(16)).join(" ")
  ).join("\n");
  const command = [compileFile(SOURCE), ...size === undefined ? [] : [String(size)]];
  const { status, stdout, stderr } = await execute(command, { input: `${input}\n` });
  assert.equal([status, stderr], [0, ""]);
  return stdout.trimEnd().split("\n").map((line) => {
    const [known, ...counters] = line.split(/:? /);
    return {
      known: parseInt(known, 10),
      counters: counters.map((counter) => counter.split("=").map(Number)),
    };
  });
}

edges(
  "a pair of PCs that follow each other is an edge; so is the first with nothing before",
  async () => {
    const [area] = await count([trace(1, 2, 3, 2, 3)]);
    assert.equal(area, { known: 4, counters: [[0, 1], [1, 1], [2, 2], [3, 1]] });
  },
);

edges("an edge has the same counter in the next area, and a new one has another", async () => {
  const [, again, other] = await count([trace(1, 2), trace(1, 2, 3), trace(4)]);
  assert.equal(again, { known: 3, counters: [[0, 1], [1, 1], [2, 1]] });
  assert.equal(other, { known: 4, counters: [[3, 1]] });
});

edges("a count ends at 254", async () => {
  const [area] = await count([trace(1, ...Array.from({ length: 1000 }, () => 1))]);
  assert.equal(area.counters, [[0, 1], [1, MOST]]);
});

edges(
  "a folded word counts as often as it says, and the PC after it only says where it goes on",
  async () => {
    const words = [folded(0, 1, 1), folded(1, 2, 9), folded(2, 1, 8), ...trace(2, 1, 3)];
    const [, area] = await count([trace(1, 2, 1), words]);
    assert.equal(area, { known: 4, counters: [[0, 1], [1, 9], [2, 9], [3, 1]] });
  },
);

edges("a folded word at the end is an edge", async () => {
  const [area] = await count([[...trace(1, 2), folded(2, 3, 1)]]);
  assert.equal(area, { known: 3, counters: [[0, 1], [1, 1], [2, 1]] });
});

edges("folded and plain hits of an edge end at 254 together", async () => {
  const words = [folded(0, 1, 1), folded(1, 1, 250), ...trace(1, ...Array(100).fill(1))];
  const [area] = await count([words]);
  assert.equal(area.counters, [[0, 1], [1, MOST]]);
});

edges("blocks with the largest numbers have edges of their own", async () => {
  const most = 0xfdfffff;
  const [area] = await count([trace(most, most - 1, most, most - 1)]);
  assert.equal(area, { known: 3, counters: [[0, 1], [1, 2], [2, 1]] });
});

edges("no two of 64 Ki edges share a counter", async () => {
  const size = 65536;
  const blocks = Array.from({ length: size }, (_, i) => i * 7 % 65521 + 1);
  const [area] = await count([trace(...blocks)], { size });
  const distinct = new Set(blocks.map((block, i) => `${blocks[i - 1]} ${block}`)).size;
  assert.is(area.known, distinct);
  assert.is(area.counters.length, distinct);
});

edges(
  "when all counters are taken, the result says so; with more, each edge has its own",
  async () => {
    const blocks = trace(1, 2, 3, 4, 5);
    const [few, more] = await count([blocks, "grow 8", blocks], { size: 2 });
    assert.equal(few, { known: 5, counters: [[0, 3], [1, 2]] });
    assert.equal(more, { known: 5, counters: [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1]] });
  },
);

edges("an empty area has no edges", async () => {
  const [area] = await count([[]]);
  assert.equal(area, { known: 0, counters: [] });
});

/** The calls of `edge` that the decoder in `docs/folding.md` makes for words. */
async function decoded(words: readonly bigint[]): Promise<string[]> {
  const shown = /```c\n(uint64_t previous.*?)```/s.exec(readFileSync(DOCUMENT, "utf8"))![1];
  const folder = mkdtempSync(join(tmpdir(), "kcovfs-decoder-"));
  try {
    const source = join(folder, "decoder.c");
    const area = [BigInt(words.length), ...words].map((word) => `0x${word.toString(16)}ull`);
    writeFileSync(
      source,
      `#include <stdint.h>
       #include <stdio.h>
       static uint64_t area[] = {${area}};
       static void edge(uint64_t a, uint64_t b, uint64_t n) { printf("%lu %lu %lu\\n", a, b, n); }
       int main(void) { ${shown} return 0; }`,
    );
    const program = join(folder, "decoder");
    const compiled = await execute(["cc", "-Wall", "-Wextra", "-Werror", source, "-o", program]);
    assert.equal([compiled.status, compiled.stderr], [0, ""]);
    return (await execute([program])).stdout.trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

edges("the decoder that the document shows finds the same edges", async () => {
  const words = [folded(0, 1, 1), folded(1, 0xabcdef1, 254), ...trace(0xabcdef1, 3, 4)];
  assert.equal(await decoded(words), ["0 1 1", "1 180150001 254", "180150001 3 1", "3 4 1"]);
  assert.equal(await decoded(trace(7, 8)), ["0 7 1", "7 8 1"]);
});

edges.run();
