import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SeenSet } from "../../src/kcov/seen_set.ts";

const seenSet = suite("seen set");

seenSet("agrees with a plain set on a hundred thousand random PCs and clears", () => {
  const ours = new SeenSet();
  const plain = new Set<number>();
  let random = 7;
  for (let i = 0; i < 100_000; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    if (random % 5000 === 0) {
      ours.clear();
      plain.clear();
    }
    const pc = 0x80000000 + (random % 20_000) * 8 + (random % 3) * 0x2000000;
    assert.is(ours.add(pc), !plain.has(pc));
    plain.add(pc);
  }
});

seenSet("tells the first PC from the last", () => {
  const it = new SeenSet();
  assert.is(it.add(0x80000000), true);
  assert.is(it.add(0xfefffff8), true);
  assert.is(it.add(0x80000000), false);
  it.clear();
  assert.is(it.add(0xfefffff8), true);
});

seenSet.run();
