import type { Units } from "./unit.ts";
import type { Node, Operation } from "./page0.ts";

/** An action for the driver. The event in parentheses answers it, if there is one. */
export type Effect =
  /** Collect from the targets and hold them, letting them run for `run` µs first (`stopped`). */
  | { readonly kind: "stop"; readonly serial: number; readonly units: Units; readonly run: number }
  | { readonly kind: "release"; readonly units: Units }
  /** Wait (`impatient`). */
  | { readonly kind: "patience"; readonly serial: number; readonly ms: number }
  /** Store what the page cache lacks of the pages above page 0 (`stored`). */
  | { readonly kind: "store"; readonly node: Node }
  /** Answer all READs of page 0 that wait. */
  | { readonly kind: "answer"; readonly node: Node }
  /** (`elapsed`) */
  | { readonly kind: "wait"; readonly node: Node; readonly timer: number; readonly us: number }
  /** Have the kernel drop page 0 (`dropped`). */
  | { readonly kind: "drop"; readonly node: Node; readonly drop: number }
  /** Wait for some ms (`stalled`). */
  | { readonly kind: "grace"; readonly node: Node; readonly drop: number }
  /** Carry out an ioctl and answer it. */
  | { readonly kind: "perform"; readonly node: Node; readonly operation: Operation };
