import type { ServerFacts } from "../messages/requests.ts";

/** A line that says how a server measures its targets. */
export function describeWay(
  { collector, isPassthrough }: Pick<ServerFacts, "collector" | "isPassthrough">,
): string {
  if (collector === "v8") return "V8's block counters, collected when the client reads";
  if (isPassthrough) return "probes, written straight into the client's memory";
  return "probes, collected when the client reads, without FUSE passthrough";
}
