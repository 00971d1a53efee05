import * as abi from "./abi.ts";
import type { Effect } from "./coherence/effect.ts";
import type { Event } from "./coherence/event.ts";
import type { Units } from "./coherence/unit.ts";
import type { TargetPcs } from "./source.ts";

const NAMES = new Map<number, string>([
  [abi.KCOV_INIT_TRACE, "KCOV_INIT_TRACE"],
  [abi.KCOV_ENABLE, "KCOV_ENABLE"],
  [abi.KCOV_DISABLE, "KCOV_DISABLE"],
  [abi.KCOV_REMOTE_ENABLE, "KCOV_REMOTE_ENABLE"],
  [abi.KCOV_RESET_TRACE, "KCOV_RESET_TRACE"],
]);
const MODES = new Map<bigint, string>([
  [BigInt(abi.KCOV_TRACE_PC), "KCOV_TRACE_PC"],
  [BigInt(abi.KCOV_TRACE_CMP), "KCOV_TRACE_CMP"],
  [abi.KCOV_TRACE_FOLDED, "KCOV_TRACE_PC | KCOV_FOLD"],
]);

/** An ioctl as a debug line has it: `KCOV_INIT_TRACE(2048)`. */
export function formatCall({ cmd, arg }: { cmd: number; arg: bigint }): string {
  const name = NAMES.get(cmd) ?? `ioctl 0x${cmd.toString(16)}`;
  if (cmd === abi.KCOV_ENABLE) return `${name}(${MODES.get(arg) ?? arg})`;
  return `${name}(${cmd === abi.KCOV_REMOTE_ENABLE ? `0x${arg.toString(16)}` : arg})`;
}

/** A step of the protocol as a debug line: the event, and the effects. */
export function formatStep(event: Event, effects: readonly Effect[]): string {
  return `${formatEvent(event)} -> ${effects.map(formatEffect).join("; ") || "nothing to do"}`;
}

function formatEvent(event: Event): string {
  switch (event.kind) {
    case "read":
      return `n${event.node}: page 0 is wanted`;
    case "operate":
      return `n${event.node}: ${event.operation} is wanted`;
    case "stopped": {
      const gained = [...event.gained].map((id) => `n${id}`).join(", ");
      return `stop ${event.serial}: targets stand still${gained && `, new PCs for ${gained}`}`;
    }
    case "impatient":
      return `stop ${event.serial}: takes long`;
    case "rescope":
      return `n${event.node}: its targets are elsewhere`;
    case "stored":
      return `n${event.node}: the pages above are stored`;
    case "elapsed":
      return `n${event.node}: the window is over`;
    case "reset":
      return `n${event.node}: the client has set area[0]`;
    case "dropped":
      return `n${event.node}: page 0 is dropped`;
    case "stalled":
      return `n${event.node}: the drop takes long`;
    case "closed":
      return `n${event.node}: closed`;
  }
}

function formatEffect(effect: Effect): string {
  switch (effect.kind) {
    case "stop": {
      const run = effect.run > 0 ? ` once they have run for ${Math.round(effect.run)} us` : "";
      return `stop ${effect.serial}: stop ${formatUnits(effect.units)}${run}`;
    }
    case "release":
      return `let ${formatUnits(effect.units)} run`;
    case "patience":
      return `give it ${effect.ms} ms`;
    case "store":
      return `n${effect.node}: store the pages above`;
    case "answer":
      return `n${effect.node}: answer`;
    case "wait":
      return `n${effect.node}: leave page 0 for ${Math.round(effect.us)} us`;
    case "drop":
      return `n${effect.node}: drop page 0`;
    case "grace":
      return `n${effect.node}: wait for the drop`;
    case "perform":
      return `n${effect.node}: ${effect.operation}`;
  }
}

function formatUnits(units: Units): string {
  if ("only" in units) return `the targets of unit ${units.only}`;
  return units.except.length > 0 ? `targets but of unit ${units.except.join(", ")}` : "targets";
}

/** Halves of a comparison's four words. */
const RECORD = 8;

/** The part of a stop's collection that a target gave, as a debug line. */
export function formatFound(serial: number, { target, kind, pcs }: TargetPcs): string {
  const found = kind === "comparisons"
    ? `made ${pcs.length / RECORD} comparisons`
    : kind === "trace"
    ? `hit ${pcs.length} probes`
    : kind === "folded"
    ? `hit probes, which fills ${pcs.length / 2} words`
    : `executed ${pcs.length} blocks`;
  return `stop ${serial}: target ${target} has ${found}`;
}
