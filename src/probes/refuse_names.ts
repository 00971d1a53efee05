import type { AnyNode } from "acorn";
import { PROBE_NAMES } from "./probe_names.ts";

const NAMES: ReadonlySet<string> = new Set(Object.values(PROBE_NAMES));

/**
 * Refuses a source that uses a name of the probes, or that has probes already.
 *
 * @throws {Error} which says which name it is.
 */
export function refuseProbeNames(source: string, root: AnyNode): void {
  if (!source.includes(PROBE_NAMES.hit)) return;
  const nodes: unknown[] = [root];
  while (nodes.length > 0) {
    const node = nodes.pop();
    if (typeof node !== "object" || node === null) continue;
    const { type, name } = node as { type?: string; name?: string };
    if (type === "Identifier" && NAMES.has(name!)) {
      throw new Error(`Cannot put probes into the source: it has the name ${name} itself`);
    }
    nodes.push(...Object.values(node));
  }
}
