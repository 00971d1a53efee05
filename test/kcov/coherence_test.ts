import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Coherence,
  type Effect,
  type Event,
  INITIAL,
  step,
} from "../../src/kcov/coherence.ts";
import type { LineScope } from "../../src/kcov/line.ts";
import {
  fingerprint,
  isAtRest,
  moves,
  newWorld,
  operate,
  settleDown,
  type World,
} from "./coherence_world.ts";

const coherence = suite("coherence");

/** Walks all worlds that can be reached, breadth first, up to a number of them. */
function explore(scopes: readonly LineScope[], most: number): { seen: number; isAll: boolean } {
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
        // Timers that nothing waits for any more would make ever new worlds.
        if (made.pending.length > 6) continue;
        const key = fingerprint(made);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ world: made, path: way });
      }
    }
    front = next;
  }
  return { seen: seen.size, isAll: front.length === 0 };
}

coherence("no interleaving of one instance makes a read stale or leaves anybody waiting", () => {
  const { seen, isAll } = explore(["all"], 20_000);
  assert.ok(isAll || seen >= 20_000);
});

const PAIRS: Record<string, readonly LineScope[]> = {
  "two instances of all targets": ["all", "all"],
  "an instance of all targets and one of a single target": ["all", [1]],
  "two instances of targets of their own": [[1], [2]],
  "instances that have one of two targets in common": [[1, 2], [2]],
  "instances of no target and of one": [[], [1]],
};

for (const [name, scopes] of Object.entries(PAIRS)) {
  coherence(`nor does any of ${name}, among the first five thousand worlds`, () => {
    const { seen } = explore(scopes, 5000);
    assert.ok(seen >= 5000);
  });
}

/** Numbers that look random, the same each time. */
function randomNumbers(seed: number): (below: number) => number {
  let random = seed;
  return (below) => ((random = (Math.imul(random, 1103515245) + 12345) >>> 0) >>> 8) % below;
}

const SCOPES: readonly LineScope[] = ["all", [1], [2], [1, 2], [2, 3], [3, 1], []];

coherence("nor does any in long random walks of instances that change their scopes", () => {
  const next = randomNumbers(12345);
  for (let walk = 0; walk < 200; walk++) {
    let world = newWorld(["all", "all", [1, 2, 3], [3]]);
    for (let i = 0; i < 150; i++) {
      if (next(8) === 0) world = { ...world, now: world.now + next(3000) };
      const line = next(world.pages.length);
      if (next(10) === 0 && !world.pages[line].isEnabled && !world.pages[line].ioctl) {
        const scope = SCOPES[next(SCOPES.length)];
        world = operate(world, { line, operation: "enable", scope });
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
function enabledWorld(scopes: readonly LineScope[]): World {
  let world = newWorld(scopes);
  for (const line of scopes.keys()) {
    world = settleDown(operate(world, { line, operation: "enable" }));
  }
  return world;
}

/**
 * Clients that touch their pages whenever they can and targets that run whenever they may, everything
 * else in a random order.
 *
 * @returns the most moves that any client, and any target, had to wait.
 */
function crowd(scopes: readonly LineScope[], seed: number): { client: number; target: number } {
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
    world.pages.forEach(({ cache }, line) => note("client", line, cache === "locked"));
    world.units.forEach(({ isRunning }, id) => note("target", id, !isRunning));
  }
  return longest;
}

const CROWDS: Record<string, readonly LineScope[]> = {
  "an instance of all targets among four of single ones": ["all", [1], [2], [3], [4]],
  "an instance of one target among four of all": [[1], "all", "all", "all", "all"],
  "instances that overlap in a ring": [[1, 2], [2, 3], [3, 4], [4, 1]],
  "instances of one target": [[1], [1], [1], [1]],
};

for (const [name, scopes] of Object.entries(CROWDS)) {
  coherence(`${name}, all busy, are served in turn, and the targets get to run`, () => {
    for (let seed = 1; seed <= 2; seed++) {
      const { client, target } = crowd(scopes, seed);
      assert.ok(client < 200, `a client waited for ${client} moves, seed ${seed}`);
      assert.ok(target < 200, `a target was held for ${target} moves, seed ${seed}`);
    }
  });
}

/** Runs events through the protocol; returns the names of the effects of each. */
class Script {
  state: Coherence = INITIAL;
  now = 1000;
  effects: readonly Effect[] = [];
  /** Of the stops that were asked for. */
  readonly serials: number[] = [];

  do(event: Event, us = 0): string {
    this.now += us;
    const { state, effects } = step(this.state, event, this.now);
    this.state = state;
    this.effects = effects;
    for (const effect of effects) if (effect.kind === "stop") this.serials.push(effect.serial);
    return effects.map((effect) => effect.kind).join(" ");
  }

  find<K extends Effect["kind"]>(kind: K): Effect & { kind: K } {
    return this.effects.find((effect) => effect.kind === kind) as Effect & { kind: K };
  }

  enable(line: number, scope: LineScope = "all"): void {
    this.do({ kind: "operate", line, operation: "enable", scope });
    for (const effect of this.effects) {
      if (effect.kind !== "stop") continue;
      this.do({ kind: "stopped", serial: effect.serial, gained: new Set() });
    }
  }

  /** The stop that was asked for last is done. */
  stopped(...gained: number[]): string {
    return this.do({ kind: "stopped", serial: this.serials.at(-1)!, gained: new Set(gained) });
  }

  /** One turn of the plain loop, whose client resets within its window or `resetAfter` µs later. */
  loop(line: number, options: { gains: boolean }): void {
    this.do({ kind: "read", line });
    this.stopped(...options.gains ? [line] : []);
    this.do({ kind: "stored", line });
    this.do({ kind: "elapsed", line, timer: this.find("wait").timer });
    const { drop } = this.find("drop");
    this.do({ kind: "reset", line });
    this.do({ kind: "dropped", line, drop });
  }
}

coherence(
  "a read of an enabled instance collects, stores, answers and drops, in this order",
  () => {
    const script = new Script();
    script.enable(1);
    assert.is(script.do({ kind: "read", line: 1 }), "stop");
    assert.is(script.stopped(1), "store");
    assert.is(script.do({ kind: "stored", line: 1 }), "answer wait");
    assert.is(script.do({ kind: "elapsed", line: 1, timer: script.find("wait").timer }), "drop");
    const { drop } = script.find("drop");
    assert.is(script.do({ kind: "reset", line: 1 }), "");
    assert.is(script.do({ kind: "dropped", line: 1, drop }), "release");
  },
);

coherence("a read of an instance that is not enabled needs no collection", () => {
  const script = new Script();
  assert.is(script.do({ kind: "read", line: 1 }), "store");
  assert.is(script.do({ kind: "stored", line: 1 }), "answer");
});

coherence("a read that arrives while the targets are held needs no collection of its own", () => {
  const script = new Script();
  script.enable(1);
  script.enable(2);
  script.do({ kind: "read", line: 1 });
  script.stopped();
  assert.is(script.do({ kind: "read", line: 2 }), "store");
});

coherence("the targets are let go of although a client reads again and again", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", line: 1 });
  script.stopped();
  script.do({ kind: "stored", line: 1 });
  script.do({ kind: "elapsed", line: 1, timer: script.find("wait").timer });
  const { drop } = script.find("drop");
  script.do({ kind: "read", line: 1 });
  assert.is(script.do({ kind: "dropped", line: 1, drop }), "release stop");
});

coherence("a hold takes in no other instance when it has lasted a millisecond", () => {
  const script = new Script();
  script.enable(1);
  script.enable(2);
  script.do({ kind: "read", line: 1 });
  script.stopped();
  assert.is(script.do({ kind: "read", line: 2 }, 1001), "");
});

coherence("targets are let run longer and longer while clients only poll", () => {
  const script = new Script();
  script.enable(1);
  const runs: number[] = [];
  for (let i = 0; i < 10; i++) {
    script.do({ kind: "read", line: 1 });
    runs.push(script.find("stop").run);
    script.stopped();
    script.do({ kind: "stored", line: 1 });
    script.do({ kind: "elapsed", line: 1, timer: script.find("wait").timer });
    script.do({ kind: "dropped", line: 1, drop: script.find("drop").drop });
  }
  assert.ok(runs.every((run, i) => i === 0 || run >= runs[i - 1]), runs.join());
  assert.is(runs.at(-1), 2000);
});

coherence("a client that gains or resets is not taken for one that polls", () => {
  const script = new Script();
  script.enable(1);
  for (let i = 0; i < 10; i++) script.loop(1, { gains: true });
  script.do({ kind: "read", line: 1 });
  assert.is(script.find("stop").run, 20);
});

/** Reads without resetting within the window, and comes back after so many µs. */
function missWindow(script: Script, options: { gains: boolean; after: number }): void {
  script.do({ kind: "read", line: 1 }, options.after);
  script.stopped(...options.gains ? [1] : []);
  script.do({ kind: "stored", line: 1 });
  script.do({ kind: "elapsed", line: 1, timer: script.find("wait").timer });
  script.do({ kind: "dropped", line: 1, drop: script.find("drop").drop });
}

coherence(
  "the window widens for a client that comes back only to reset, and narrows for one in time",
  () => {
    const script = new Script();
    script.enable(1);
    const windowOf = () => script.state.lines.get(1)!.window;
    missWindow(script, { gains: true, after: 0 });
    assert.is(windowOf(), 0);
    missWindow(script, { gains: false, after: 60 });
    const widened = windowOf();
    assert.ok(widened > 0);
    script.loop(1, { gains: true });
    assert.ok(windowOf() < widened);
  },
);

coherence("the window stays narrow for a client that polls, with or without resets", () => {
  const script = new Script();
  script.enable(1);
  for (let i = 0; i < 20; i++) missWindow(script, { gains: false, after: 50 });
  for (let i = 0; i < 20; i++) script.loop(1, { gains: false });
  assert.is(script.state.lines.get(1)!.window, 0);
});

coherence("an instance whose owner died is given back after a last collection", () => {
  const script = new Script();
  script.enable(1);
  assert.is(script.do({ kind: "operate", line: 1, operation: "retire" }), "stop");
  assert.is(script.stopped(1), "perform release");
  assert.is(script.do({ kind: "read", line: 1 }), "store");
});

coherence("ENABLE drops a page that the client has mapped before", () => {
  const script = new Script();
  script.do({ kind: "read", line: 1 });
  script.do({ kind: "stored", line: 1 });
  assert.is(script.do({ kind: "operate", line: 1, operation: "enable" }), "drop stop");
  const { drop } = script.find("drop");
  assert.is(script.stopped(), "");
  assert.is(script.do({ kind: "dropped", line: 1, drop }), "perform release");
});

coherence("closing an instance ends the hold that it caused", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", line: 1 });
  script.stopped();
  assert.is(script.do({ kind: "closed", line: 1 }), "release");
});

coherence("instances of different targets are read without waiting for each other", () => {
  const script = new Script();
  script.enable(1, [1]);
  script.enable(2, [2]);
  assert.is(script.do({ kind: "read", line: 1 }), "stop patience");
  assert.equal(script.find("stop").units, { only: [1] });
  assert.is(script.do({ kind: "read", line: 2 }), "stop patience");
  assert.equal(script.find("stop").units, { only: [2] });
  assert.is(script.stopped(2), "store", "although the other is being stopped");
  assert.is(script.do({ kind: "stored", line: 2 }), "answer wait");
  script.do({ kind: "elapsed", line: 2, timer: script.find("wait").timer });
  assert.is(script.do({ kind: "dropped", line: 2, drop: script.find("drop").drop }), "release");
  assert.equal(script.find("release").units, { only: [2] });
});

coherence("an instance of all targets has those stopped that others name, and the rest", () => {
  const script = new Script();
  script.enable(1, [1]);
  script.enable(2, [2, 3]);
  script.enable(3);
  script.do({ kind: "read", line: 3 });
  const stops = script.effects.filter((effect) => effect.kind === "stop");
  assert.equal(stops.map(({ units }) => units), [
    { except: [1, 2, 3] },
    { only: [1] },
    { only: [2] },
    { only: [3] },
  ]);
  const [rest, ...others] = stops.map(({ serial }) => serial);
  const stopped = (serial: number) => script.do({ kind: "stopped", serial, gained: new Set() });
  assert.equal(others.map(stopped), ["", "", ""]);
  assert.is(stopped(rest), "store");
});

coherence("a target that is named while all are being stopped is held with them", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", line: 1 });
  assert.is(script.do({ kind: "operate", line: 2, operation: "enable", scope: [7] }), "");
  assert.is(script.stopped(), "store perform");
  script.do({ kind: "stored", line: 1 });
  script.do({ kind: "elapsed", line: 1, timer: script.find("wait").timer });
  const { drop } = script.find("drop");
  assert.is(script.do({ kind: "dropped", line: 1, drop }), "release release");
  assert.equal(script.effects.map((effect) => "units" in effect && effect.units), [
    { except: [7] },
    { only: [7] },
  ]);
});

coherence("what no instance names any more goes with the rest again", () => {
  const script = new Script();
  script.enable(1, [7]);
  assert.equal([...script.state.units.keys()], [0, 7]);
  script.do({ kind: "operate", line: 1, operation: "disable" });
  assert.is(script.stopped(), "perform release");
  assert.equal([...script.state.units.keys()], [0]);
});

coherence("an instance without targets is answered at once", () => {
  const script = new Script();
  const enable = { kind: "operate", line: 1, operation: "enable", scope: [] } as const;
  assert.is(script.do(enable), "perform");
  assert.is(script.do({ kind: "read", line: 1 }), "store");
});

coherence("who waits for a slow target lets the others run until it is held", () => {
  const script = new Script();
  script.enable(1, [1, 2]);
  script.do({ kind: "read", line: 1 });
  const [slow, prompt] = script.serials.slice(-2);
  assert.is(script.do({ kind: "stopped", serial: prompt, gained: new Set() }), "");
  assert.is(script.do({ kind: "impatient", serial: slow }), "patience release");
  assert.equal(script.find("release").units, { only: [2] });
  assert.is(script.do({ kind: "stopped", serial: slow, gained: new Set() }), "stop patience");
  assert.equal(script.find("stop").units, { only: [2] });
  const again = script.find("stop").serial;
  assert.is(script.do({ kind: "impatient", serial: again }), "patience", "it was as slow itself");
  assert.is(script.find("patience").ms, 40);
  assert.is(script.stopped(), "store");
});

coherence(
  "a client of a target that is slow now and then is not kept by who waits for others",
  () => {
    const script = new Script();
    script.enable(1);
    script.enable(2, [1]);
    script.enable(3, [2]);
    script.do({ kind: "read", line: 1 });
    const stuck = script.find("stop").serial;
    for (const effect of script.effects) {
      if (effect.kind === "stop" && effect.serial !== stuck) {
        script.do({ kind: "stopped", serial: effect.serial, gained: new Set() });
      }
    }
    assert.match(script.do({ kind: "impatient", serial: stuck }), "release release");
    script.do({ kind: "read", line: 3 });
    script.do({ kind: "impatient", serial: script.find("stop").serial });
    script.stopped(3);
    script.do({ kind: "stored", line: 3 });
    script.do({ kind: "elapsed", line: 3, timer: script.find("wait").timer });
    const { drop } = script.find("drop");
    assert.is(script.do({ kind: "dropped", line: 3, drop }), "release");
  },
);

coherence("a target that comes to another unit is stopped with that", () => {
  const script = new Script();
  script.enable(1, [5]);
  script.do({ kind: "rescope", line: 1, scope: [3] });
  script.do({ kind: "read", line: 1 });
  assert.equal(script.find("stop").units, { only: [3] });
  assert.equal([...script.state.units.keys()], [0, 3]);
});

coherence.run();
