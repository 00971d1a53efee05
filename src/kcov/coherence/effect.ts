import type { Units } from "./unit.ts";
import type { Node, Operation } from "./page0.ts";

/** An action for the driver. If the driver answers it with an event, the event is in parentheses. */
export type Effect =
  /** Let the targets run for `run` µs, then collect from them and hold them (`stopped`). */
  | { readonly kind: "stop"; readonly serial: number; readonly units: Units; readonly run: number }
  | { readonly kind: "release"; readonly units: Units }
  /** Wait (`impatient`). */
  | { readonly kind: "patience"; readonly serial: number; readonly ms: number }
  /** Store the content of the pages above page 0 that the page cache lacks (`stored`). */
  | { readonly kind: "store"; readonly node: Node }
  /** Answer all READs of page 0 that wait. */
  | { readonly kind: "answer"; readonly node: Node }
  /** Keep the window open for so many µs (`elapsed`). */
  | { readonly kind: "wait"; readonly node: Node; readonly timer: number; readonly us: number }
  /** Make the kernel drop page 0 (`dropped`). */
  | { readonly kind: "drop"; readonly node: Node; readonly drop: number }
  /** Wait for some ms (`stalled`). */
  | { readonly kind: "grace"; readonly node: Node; readonly drop: number }
  /** Carry out an ioctl and answer it. */
  | { readonly kind: "perform"; readonly node: Node; readonly operation: Operation };
