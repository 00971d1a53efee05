import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Coherence, INITIAL, step } from "../../src/kcov/coherence/step.ts";
import type { Effect } from "../../src/kcov/coherence/effect.ts";
import type { Event } from "../../src/kcov/coherence/event.ts";
import type { UnitScope } from "../../src/kcov/coherence/page0.ts";
import { unitId } from "../../src/kcov/ids.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const coherence = suite("coherence");

/** Runs events through the protocol; returns the names of the effects of each. */
class Script {
  state: Coherence = INITIAL;
  now = 1000;
  effects: readonly Effect[] = [];
  /** The serial numbers of the stops that were asked for. */
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

  enable(node: number, scope: UnitScope = "all"): void {
    this.do({ kind: "operate", node: nodeId(node), operation: "enable", scope });
    for (const effect of this.effects) {
      if (effect.kind !== "stop") continue;
      this.do({ kind: "stopped", serial: effect.serial, gained: new Set() });
    }
  }

  /** The last stop that was asked for is done. */
  stopped(...gained: number[]): string {
    return this.do({
      kind: "stopped",
      serial: this.serials.at(-1)!,
      gained: new Set(gained.map(nodeId)),
    });
  }

  /** One turn of the plain loop, whose client resets within its window or `resetAfter` µs later. */
  loop(node: number, options: { gains: boolean }): void {
    this.do({ kind: "read", node: nodeId(node) });
    this.stopped(...options.gains ? [node] : []);
    this.do({ kind: "stored", node: nodeId(node) });
    this.do({ kind: "elapsed", node: nodeId(node), timer: this.find("wait").timer });
    const { drop } = this.find("drop");
    this.do({ kind: "reset", node: nodeId(node) });
    this.do({ kind: "dropped", node: nodeId(node), drop });
  }
}

coherence(
  "a read of an enabled instance collects, stores, answers and drops, in this order",
  () => {
    const script = new Script();
    script.enable(1);
    assert.is(script.do({ kind: "read", node: nodeId(1) }), "stop");
    assert.is(script.stopped(1), "store");
    assert.is(script.do({ kind: "stored", node: nodeId(1) }), "answer wait");
    assert.is(
      script.do({ kind: "elapsed", node: nodeId(1), timer: script.find("wait").timer }),
      "drop",
    );
    const { drop } = script.find("drop");
    assert.is(script.do({ kind: "reset", node: nodeId(1) }), "");
    assert.is(script.do({ kind: "dropped", node: nodeId(1), drop }), "release");
  },
);

coherence("a read of an instance that is not enabled needs no collection", () => {
  const script = new Script();
  assert.is(script.do({ kind: "read", node: nodeId(1) }), "store");
  assert.is(script.do({ kind: "stored", node: nodeId(1) }), "answer");
});

coherence("a read that arrives while the targets are held needs no collection of its own", () => {
  const script = new Script();
  script.enable(1);
  script.enable(2);
  script.do({ kind: "read", node: nodeId(1) });
  script.stopped();
  assert.is(script.do({ kind: "read", node: nodeId(2) }), "store");
});

coherence("the targets are let go of although a client reads again and again", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", node: nodeId(1) });
  script.stopped();
  script.do({ kind: "stored", node: nodeId(1) });
  script.do({ kind: "elapsed", node: nodeId(1), timer: script.find("wait").timer });
  const { drop } = script.find("drop");
  script.do({ kind: "read", node: nodeId(1) });
  assert.is(script.do({ kind: "dropped", node: nodeId(1), drop }), "release stop");
});

coherence("a hold takes in no other instance when it has lasted a millisecond", () => {
  const script = new Script();
  script.enable(1);
  script.enable(2);
  script.do({ kind: "read", node: nodeId(1) });
  script.stopped();
  assert.is(script.do({ kind: "read", node: nodeId(2) }, 1001), "");
});

coherence("targets are let run longer and longer while clients only poll", () => {
  const script = new Script();
  script.enable(1);
  const runs: number[] = [];
  for (let i = 0; i < 10; i++) {
    script.do({ kind: "read", node: nodeId(1) });
    runs.push(script.find("stop").run);
    script.stopped();
    script.do({ kind: "stored", node: nodeId(1) });
    script.do({ kind: "elapsed", node: nodeId(1), timer: script.find("wait").timer });
    script.do({ kind: "dropped", node: nodeId(1), drop: script.find("drop").drop });
  }
  assert.ok(runs.every((run, i) => i === 0 || run >= runs[i - 1]), runs.join());
  assert.is(runs.at(-1), 2000);
});

coherence("a client that gains or resets is not taken for one that polls", () => {
  const script = new Script();
  script.enable(1);
  for (let i = 0; i < 10; i++) script.loop(1, { gains: true });
  script.do({ kind: "read", node: nodeId(1) });
  assert.is(script.find("stop").run, 20);
});

/** Reads without resetting within the window, and comes back after so many µs. */
function missWindow(script: Script, options: { gains: boolean; after: number }): void {
  script.do({ kind: "read", node: nodeId(1) }, options.after);
  script.stopped(...options.gains ? [1] : []);
  script.do({ kind: "stored", node: nodeId(1) });
  script.do({ kind: "elapsed", node: nodeId(1), timer: script.find("wait").timer });
  script.do({ kind: "dropped", node: nodeId(1), drop: script.find("drop").drop });
}

coherence(
  "the window widens for a client that comes back only to reset, and narrows for one in time",
  () => {
    const script = new Script();
    script.enable(1);
    const windowOf = () => script.state.pages.get(nodeId(1))!.window;
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
  assert.is(script.state.pages.get(nodeId(1))!.window, 0);
});

coherence("an instance whose owner died is given back after a last collection", () => {
  const script = new Script();
  script.enable(1);
  assert.is(script.do({ kind: "operate", node: nodeId(1), operation: "retire" }), "stop");
  assert.is(script.stopped(1), "perform release");
  assert.is(script.do({ kind: "read", node: nodeId(1) }), "store");
});

coherence("ENABLE drops a page that the client has mapped before", () => {
  const script = new Script();
  script.do({ kind: "read", node: nodeId(1) });
  script.do({ kind: "stored", node: nodeId(1) });
  assert.is(script.do({ kind: "operate", node: nodeId(1), operation: "enable" }), "drop stop");
  const { drop } = script.find("drop");
  assert.is(script.stopped(), "");
  assert.is(script.do({ kind: "dropped", node: nodeId(1), drop }), "perform release");
});

coherence("closing an instance ends the hold that it caused", () => {
  const script = new Script();
  script.enable(1);
  script.do({ kind: "read", node: nodeId(1) });
  script.stopped();
  assert.is(script.do({ kind: "closed", node: nodeId(1) }), "release");
});

coherence("instances of different targets are read without waiting for each other", () => {
  const script = new Script();
  script.enable(1, [unitId(1)]);
  script.enable(2, [unitId(2)]);
  assert.is(script.do({ kind: "read", node: nodeId(1) }), "stop patience");
  assert.equal(script.find("stop").units, { only: [1] });
  assert.is(script.do({ kind: "read", node: nodeId(2) }), "stop patience");
  assert.equal(script.find("stop").units, { only: [2] });
  assert.is(script.stopped(2), "store", "although the other is being stopped");
  assert.is(script.do({ kind: "stored", node: nodeId(2) }), "answer wait");
  script.do({ kind: "elapsed", node: nodeId(2), timer: script.find("wait").timer });
  assert.is(
    script.do({ kind: "dropped", node: nodeId(2), drop: script.find("drop").drop }),
    "release",
  );
  assert.equal(script.find("release").units, { only: [2] });
});

coherence("an instance of all targets has those stopped that others name, and the rest", () => {
  const script = new Script();
  script.enable(1, [unitId(1)]);
  script.enable(2, [unitId(2), unitId(3)]);
  script.enable(3);
  script.do({ kind: "read", node: nodeId(3) });
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
  script.do({ kind: "read", node: nodeId(1) });
  assert.is(
    script.do({ kind: "operate", node: nodeId(2), operation: "enable", scope: [unitId(7)] }),
    "",
  );
  assert.is(script.stopped(), "store perform");
  script.do({ kind: "stored", node: nodeId(1) });
  script.do({ kind: "elapsed", node: nodeId(1), timer: script.find("wait").timer });
  const { drop } = script.find("drop");
  assert.is(script.do({ kind: "dropped", node: nodeId(1), drop }), "release release");
  assert.equal(script.effects.map((effect) => "units" in effect && effect.units), [
    { except: [7] },
    { only: [7] },
  ]);
});

coherence("what no instance names any more goes with the rest again", () => {
  const script = new Script();
  script.enable(1, [unitId(7)]);
  assert.equal([...script.state.units.keys()], [0, 7]);
  script.do({ kind: "operate", node: nodeId(1), operation: "disable" });
  assert.is(script.stopped(), "perform release");
  assert.equal([...script.state.units.keys()], [0]);
});

coherence("an instance without targets is answered at once", () => {
  const script = new Script();
  const enable = { kind: "operate", node: nodeId(1), operation: "enable", scope: [] } as const;
  assert.is(script.do(enable), "perform");
  assert.is(script.do({ kind: "read", node: nodeId(1) }), "store");
});

coherence("who waits for a slow target lets the others run until it is held", () => {
  const script = new Script();
  script.enable(1, [unitId(1), unitId(2)]);
  script.do({ kind: "read", node: nodeId(1) });
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
    script.enable(2, [unitId(1)]);
    script.enable(3, [unitId(2)]);
    script.do({ kind: "read", node: nodeId(1) });
    const stuck = script.find("stop").serial;
    for (const effect of script.effects) {
      if (effect.kind === "stop" && effect.serial !== stuck) {
        script.do({ kind: "stopped", serial: effect.serial, gained: new Set() });
      }
    }
    assert.match(script.do({ kind: "impatient", serial: stuck }), "release release");
    script.do({ kind: "read", node: nodeId(3) });
    script.do({ kind: "impatient", serial: script.find("stop").serial });
    script.stopped(3);
    script.do({ kind: "stored", node: nodeId(3) });
    script.do({ kind: "elapsed", node: nodeId(3), timer: script.find("wait").timer });
    const { drop } = script.find("drop");
    assert.is(script.do({ kind: "dropped", node: nodeId(3), drop }), "release");
  },
);

coherence("a target that comes to another unit is stopped with that", () => {
  const script = new Script();
  script.enable(1, [unitId(5)]);
  script.do({ kind: "rescope", node: nodeId(1), scope: [unitId(3)] });
  script.do({ kind: "read", node: nodeId(1) });
  assert.equal(script.find("stop").units, { only: [3] });
  assert.equal([...script.state.units.keys()], [0, 3]);
});

coherence.run();
