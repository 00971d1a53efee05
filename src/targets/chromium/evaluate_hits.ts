import { TAKE_HITS } from "../../scripts/standalone.ts";
import { check, numbers } from "../../base/shape.ts";
import type { CdpSession } from "../cdp/session.ts";

const EXPRESSION = `globalThis.${TAKE_HITS}?.()\n//# sourceURL=node:kcovfs`;

/**
 * The hits of a document's probes since the last call, as signed numbers; empty if it has no probes. It may
 * be called while the document is paused, or about to be; it does not change that.
 */
export async function evaluateHits(session: CdpSession): Promise<readonly number[]> {
  const { result } = await session.send("Runtime.evaluate", {
    expression: EXPRESSION,
    returnByValue: true,
    silent: true,
    disableBreaks: true,
  });
  return result.value === undefined ? [] : check(numbers, result.value);
}
