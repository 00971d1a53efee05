import type { Node, Operation, UnitScope } from "./page0.ts";

export type Event =
  /** A READ of page 0 arrived. */
  | { readonly kind: "read"; readonly node: Node }
  /** A valid ioctl arrived. `scope`: that of an instance that is to be enabled. @default {"all"} */
  | {
    readonly kind: "operate";
    readonly node: Node;
    readonly operation: Operation;
    readonly scope?: UnitScope;
  }
  /**
   * The targets of a stop are held. What they had executed by then was appended to the areas of the enabled
   * instances that have them in scope; `gained` names the instances that got something new.
   */
  | { readonly kind: "stopped"; readonly serial: number; readonly gained: ReadonlySet<Node> }
  /** A stop has lasted for the time of its `patience`. */
  | { readonly kind: "impatient"; readonly serial: number }
  /** The targets in an instance's scope have moved to other units. None of these is held. */
  | { readonly kind: "rescope"; readonly node: Node; readonly scope: UnitScope }
  | { readonly kind: "stored"; readonly node: Node }
  /** A window's time is up. */
  | { readonly kind: "elapsed"; readonly node: Node; readonly timer: number }
  /** The client's page 0 came back, and `area[0]` was changed. */
  | { readonly kind: "reset"; readonly node: Node }
  /** The kernel has dropped page 0. */
  | { readonly kind: "dropped"; readonly node: Node; readonly drop: number }
  /** A READ has waited for a drop that may in turn wait for the READ. */
  | { readonly kind: "stalled"; readonly node: Node; readonly drop: number }
  /** Nobody has the instance open or mapped any more. */
  | { readonly kind: "closed"; readonly node: Node };
