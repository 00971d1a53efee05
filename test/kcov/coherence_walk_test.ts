/** The protocol's promises, in every order of events, and in a crowd. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { UnitScope } from "../../src/kcov/coherence/page0.ts";
import { rounds } from "../rounds.ts";
import {
  fingerprint,
  isAtRest,
  moves,
  newWorld,
  operate,
  settleDown,
  type World,
} from "./coherence_world.ts";
import { unitId } from "../../src/kcov/ids.ts";

const walk = suite("coherence, interleavings");

/** Walks all reachable worlds, breadth first, up to a number of them; returns how many it has seen. */
function explore(scopes: readonly UnitScope[], most: number): number {
  const first = newWorld(scopes);
  const seen = new Set<string>([fingerprint(first)]);
  let front: { world: World; path: string }[] = [{ world: first, path: "" }];
  while (front.length > 0 && seen.size < most) {
    const next: typeof front = [];
    for (const { world, path } of front) {
      for (const move of moves(world)) {
        const way = `${path}, ${move.name}`;
        let made: World;
        try {
          made = move.make();
          assert.ok(isAtRest(settleDown(made)), "somebody waits for ever");
        } catch (error) {
          throw new Error(`${(error as Error).message}, after${way.slice(1)}`);
        }
        // Timers that nothing waits for any more would make new worlds without end.
        if (made.pending.length > 6) continue;
        const key = fingerprint(made);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ world: made, path: way });
      }
    }
    front = next;
  }
  return seen.size;
}

/**
 * The number of worlds up to the step at which the wanted most is reached. A change of the protocol, or of the
 * world, changes the number: check that the walk still goes everywhere, and write the new one.
 */
interface Known {
  readonly usual: number;
  readonly long: number;
}

function assertKnown(scopes: readonly UnitScope[], most: number, known: Known): void {
  assert.is(explore(scopes, most), rounds(known.usual, known));
}

walk("no interleaving of one instance makes a read stale or leaves anybody waiting", () => {
  assertKnown(["all"], rounds(20_000, { long: 100_000 }), { usual: 21_264, long: 118_325 });
});

const PAIRS: [name: string, scopes: readonly UnitScope[], known: Known][] = [
  ["two instances of all targets", ["all", "all"], { usual: 6333, long: 33_099 }],
  [
    "an instance of all targets and one of a single target",
    ["all", [unitId(1)]],
    { usual: 5980, long: 26_368 },
  ],
  ["two instances of targets of their own", [[unitId(1)], [unitId(2)]], {
    usual: 6634,
    long: 29_248,
  }],
  [
    "instances that have one of two targets in common",
    [[unitId(1), unitId(2)], [unitId(2)]],
    { usual: 8552, long: 38_520 },
  ],
  ["instances of no target and of one", [[], [unitId(1)]], { usual: 9285, long: 33_954 }],
];

for (const [name, scopes, known] of PAIRS) {
  const most = rounds(5000, { long: 20_000 });
  walk(`nor does any of ${name}, among the first ${most} worlds`, () => {
    assertKnown(scopes, most, known);
  });
}

/** Numbers that look random, the same each time. */
function randomNumbers(seed: number): (below: number) => number {
  let random = seed;
  return (below) => ((random = (Math.imul(random, 1103515245) + 12345) >>> 0) >>> 8) % below;
}

const SCOPES: readonly UnitScope[] = [
  "all",
  [unitId(1)],
  [unitId(2)],
  [unitId(1), unitId(2)],
  [unitId(2), unitId(3)],
  [unitId(3), unitId(1)],
  [],
];

walk("nor does any in long random walks of instances that change their scopes", () => {
  const next = randomNumbers(12345);
  for (let i = 0; i < 200; i++) {
    let world = newWorld(["all", "all", [unitId(1), unitId(2), unitId(3)], [unitId(3)]]);
    for (let j = 0; j < 150; j++) {
      if (next(8) === 0) world = { ...world, now: world.now + next(3000) };
      const node = next(world.pages.length);
      if (next(10) === 0 && !world.pages[node].isEnabled && !world.pages[node].ioctl) {
        const scope = SCOPES[next(SCOPES.length)];
        world = operate(world, { node, operation: "enable", scope });
      }
      const all = moves(world);
      const choice = next(4) > 0 ? all.filter((move) => move.isProgress) : all;
      const list = choice.length > 0 ? choice : all;
      world = list[next(list.length)].make();
    }
    assert.ok(isAtRest(settleDown(world)));
  }
});

/** Enables all instances. */
function enabledWorld(scopes: readonly UnitScope[]): World {
  let world = newWorld(scopes);
  for (const node of scopes.keys()) {
    world = settleDown(operate(world, { node, operation: "enable" }));
  }
  return world;
}

/**
 * Clients that touch their pages whenever they can, and targets that run whenever they may; everything else
 * in a random order.
 *
 * @returns the most moves that any client, and any target, had to wait.
 */
function crowd(scopes: readonly UnitScope[], seed: number): { client: number; target: number } {
  const next = randomNumbers(seed);
  let world = enabledWorld(scopes);
  const waits = { client: scopes.map(() => 0), target: world.units.map(() => 0) };
  const longest = { client: 0, target: 0 };
  const note = (kind: "client" | "target", index: number, isWaiting: boolean) => {
    waits[kind][index] = isWaiting ? waits[kind][index] + 1 : 0;
    longest[kind] = Math.max(longest[kind], waits[kind][index]);
  };
  for (let i = 0; i < 2000; i++) {
    for (const eager of moves(world).filter(({ name }) => /^(touch|run)/.test(name))) {
      world = moves(world).find(({ name }) => name === eager.name)!.make();
    }
    const progress = moves(world).filter((move) => move.isProgress);
    world = progress[next(progress.length)].make();
    world = { ...world, now: world.now + next(100) };
    world.pages.forEach(({ cache }, node) => note("client", node, cache === "locked"));
    world.units.forEach(({ isRunning }, id) => note("target", id, !isRunning));
  }
  return longest;
}

const CROWDS: Record<string, readonly UnitScope[]> = {
  "an instance of all targets among four of single ones": ["all", [unitId(1)], [unitId(2)], [
    unitId(3),
  ], [unitId(4)]],
  "an instance of one target among four of all": [[unitId(1)], "all", "all", "all", "all"],
  "instances that overlap in a ring": [[unitId(1), unitId(2)], [unitId(2), unitId(3)], [
    unitId(3),
    unitId(4),
  ], [unitId(4), unitId(1)]],
  "instances of one target": [[unitId(1)], [unitId(1)], [unitId(1)], [unitId(1)]],
};

for (const [name, scopes] of Object.entries(CROWDS)) {
  walk(`${name}, all busy, are served in turn, and the targets get to run`, () => {
    for (let seed = 1; seed <= 2; seed++) {
      const { client, target } = crowd(scopes, seed);
      assert.ok(client < 200, `a client waited for ${client} moves, seed ${seed}`);
      assert.ok(target < 200, `a target was held for ${target} moves, seed ${seed}`);
    }
  });
}

walk.run();
