/** The debug lines of the device, from which readers learn the protocol. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatCall } from "../../src/kcov/debug_lines.ts";
import { formatFound, formatStep } from "../../src/kcov/debug_lines.ts";
import { ALL_UNITS } from "../../src/kcov/coherence/unit.ts";
import { targetId, unitId } from "../../src/kcov/ids.ts";
import { nodeId } from "../../src/fuse/ids.ts";

const format = suite("kcov/debug_lines");

format("a read of page 0, from the fault to the release, reads as what is done for it", () => {
  const node = nodeId(1001);
  const units = ALL_UNITS;
  const steps = [
    formatStep({ kind: "read", node: node }, [{ kind: "stop", serial: 3, units, run: 20.4 }]),
    formatStep({ kind: "stopped", serial: 3, gained: new Set([node]) }, [{ kind: "store", node }]),
    formatStep({ kind: "stored", node: node }, [
      { kind: "answer", node: node },
      { kind: "wait", node: node, timer: 1, us: 33 },
    ]),
    formatStep({ kind: "elapsed", node: node, timer: 1 }, [{ kind: "drop", node: node, drop: 2 }]),
    formatStep({ kind: "reset", node: node }, []),
    formatStep({ kind: "dropped", node: node, drop: 2 }, [{ kind: "release", units }]),
  ];
  assert.equal(steps, [
    "n1001: page 0 is wanted -> stop 3: stop targets once they have run for 20 us",
    "stop 3: targets stand still, new PCs for n1001 -> n1001: store the pages above",
    "n1001: the pages above are stored -> n1001: answer; n1001: leave page 0 for 33 us",
    "n1001: the window is over -> n1001: drop page 0",
    "n1001: the client has set area[0] -> nothing to do",
    "n1001: page 0 is dropped -> let targets run",
  ]);
});

format("an ioctl that waits for one of several units", () => {
  const stop = { kind: "stop", serial: 1, units: { only: [unitId(2)] }, run: 0 } as const;
  const steps = [
    formatStep({ kind: "operate", node: nodeId(7), operation: "enable" }, [
      stop,
      { kind: "patience", serial: 1, ms: 5 },
    ]),
    formatStep({ kind: "impatient", serial: 1 }, []),
    formatStep({ kind: "rescope", node: nodeId(7), scope: "all" }, []),
    formatStep({ kind: "stopped", serial: 1, gained: new Set() }, [
      { kind: "perform", node: nodeId(7), operation: "enable" },
      { kind: "release", units: { except: [unitId(2), unitId(3)] } },
    ]),
    formatStep({ kind: "stalled", node: nodeId(7), drop: 1 }, [{
      kind: "grace",
      node: nodeId(7),
      drop: 1,
    }]),
    formatStep({ kind: "closed", node: nodeId(7) }, []),
  ];
  assert.equal(steps, [
    "n7: enable is wanted -> stop 1: stop the targets of unit 2; give it 5 ms",
    "stop 1: takes long -> nothing to do",
    "n7: its targets are elsewhere -> nothing to do",
    "stop 1: targets stand still -> n7: enable; let targets but of unit 2, 3 run",
    "n7: the drop takes long -> n7: wait for the drop",
    "n7: closed -> nothing to do",
  ]);
});

format("what a stop has found out about a target", () => {
  const found = (kind: "counts" | "trace" | "comparisons", length: number) =>
    formatFound(3, { target: targetId(1), kind, pcs: new Uint32Array(length) });
  assert.is(found("counts", 11), "stop 3: target 1 has executed 11 blocks");
  assert.is(found("trace", 11), "stop 3: target 1 has hit 11 probes");
  assert.is(found("comparisons", 16), "stop 3: target 1 has made 2 comparisons");
});

format("an ioctl by its name, and what it is given", () => {
  const calls: [number, bigint, string][] = [
    [0x80086301, 2048n, "KCOV_INIT_TRACE(2048)"],
    [0x6364, 1n, "KCOV_ENABLE(KCOV_TRACE_CMP)"],
    [0x6364, 0x40000000n, "KCOV_ENABLE(KCOV_TRACE_PC | KCOV_FOLD)"],
    [0x6364, 7n, "KCOV_ENABLE(7)"],
    [0x6365, 0n, "KCOV_DISABLE(0)"],
    [0x6368, 0n, "KCOV_RESET_TRACE(0)"],
    [0x40186366, 0x7fff12345678n, "KCOV_REMOTE_ENABLE(0x7fff12345678)"],
    [0x5401, 3n, "ioctl 0x5401(3)"],
  ];
  for (const [cmd, arg, text] of calls) assert.is(formatCall({ cmd, arg }), text);
});

format.run();
