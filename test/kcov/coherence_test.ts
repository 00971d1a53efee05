import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Coherence,
  type Effect,
  type Event,
  INITIAL,
  step,
} from "../../src/kcov/coherence.ts";
import {
  fingerprint,
  isAtRest,
  moves,
  newWorld,
  settleDown,
  type World,
} from "./coherence_world.ts";

const coherence = suite("coherence");

/** Walks all worlds that can be reached, breadth first, up to a number of them. */
function explore(lines: number, most: number): { seen: number; isAll: boolean } {
  const first = newWorld(lines);
  const seen = new Map<string, string>([[fingerprint(first), ""]]);
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
        seen.set(key, way);
        next.push({ world: made, path: way });
      }
    }
    front = next;
  }
  return { seen: seen.size, isAll: front.length === 0 };
}

coherence("no interleaving of one instance makes a read stale or leaves anybody waiting", () => {
  const { seen, isAll } = explore(1, 20_000);
  assert.ok(isAll || seen >= 20_000);
});

coherence("nor does any of two instances, among the first thirty thousand worlds", () => {
  const { seen } = explore(2, 30_000);
  assert.ok(seen >= 30_000);
});

coherence("nor does any in long random walks with three instances", () => {
  let random = 12345;
  const next = (n: number) => (random = (Math.imul(random, 1103515245) + 12345) >>> 0) % n;
  for (let walk = 0; walk < 300; walk++) {
    let world = newWorld(3);
    for (let i = 0; i < 150; i++) {
      const all = moves(world);
      const choice = next(4) > 0 ? all.filter((move) => move.isProgress) : all;
      const list = choice.length > 0 ? choice : all;
      world = list[next(list.length)].make();
    }
    assert.ok(isAtRest(settleDown(world)));
  }
});

/** Runs events through the protocol; returns the names of the effects of each. */
class Script {
  state: Coherence = INITIAL;
  now = 1000;
  effects: readonly Effect[] = [];

  do(event: Event, us = 0): string {
    this.now += us;
    const { state, effects } = step(this.state, event, this.now);
    this.state = state;
    this.effects = effects;
    return effects.map((effect) => effect.kind).join(" ");
  }

  find<K extends Effect["kind"]>(kind: K): Effect & { kind: K } {
    return this.effects.find((effect) => effect.kind === kind) as Effect & { kind: K };
  }

  enable(line: number): void {
    this.do({ kind: "operate", line, operation: "enable" });
    this.do({ kind: "stopped", gained: new Set() });
  }

  /** One turn of the plain loop, whose client resets within its window or `resetAfter` µs later. */
  loop(line: number, options: { gains: boolean }): void {
    this.do({ kind: "read", line });
    this.do({ kind: "stopped", gained: new Set(options.gains ? [line] : []) });
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
    assert.is(script.do({ kind: "stopped", gained: new Set([1]) }), "store");
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
  script.do({ kind: "stopped", gained: new Set() });
  assert.is(script.do({ kind: "read", line: 2 }), "store");
});

coherence("the targets are let go of although a client reads again and again", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", line: 1 });
  script.do({ kind: "stopped", gained: new Set() });
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
  script.do({ kind: "stopped", gained: new Set() });
  assert.is(script.do({ kind: "read", line: 2 }, 1001), "");
});

coherence("targets are let run longer and longer while clients only poll", () => {
  const script = new Script();
  script.enable(1);
  const runs: number[] = [];
  for (let i = 0; i < 10; i++) {
    script.do({ kind: "read", line: 1 });
    runs.push(script.find("stop").run);
    script.do({ kind: "stopped", gained: new Set() });
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
  script.do({ kind: "stopped", gained: new Set(options.gains ? [1] : []) });
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
  assert.is(script.do({ kind: "stopped", gained: new Set([1]) }), "perform release");
  assert.is(script.do({ kind: "read", line: 1 }), "store");
});

coherence("ENABLE drops a page that the client has mapped before", () => {
  const script = new Script();
  script.do({ kind: "read", line: 1 });
  script.do({ kind: "stored", line: 1 });
  assert.is(script.do({ kind: "operate", line: 1, operation: "enable" }), "drop stop");
  const { drop } = script.find("drop");
  assert.is(script.do({ kind: "stopped", gained: new Set() }), "");
  assert.is(script.do({ kind: "dropped", line: 1, drop }), "perform release");
});

coherence("closing an instance ends the hold that it caused", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", line: 1 });
  script.do({ kind: "stopped", gained: new Set() });
  assert.is(script.do({ kind: "closed", line: 1 }), "release");
});

coherence.run();
