import { TAKE_HITS } from "../../scripts/standalone.ts";
import { check, numbers } from "../../base/shape.ts";
import type { CdpSession } from "../cdp/session.ts";

const EXPRESSION = `globalThis.${TAKE_HITS}?.()\n//# sourceURL=node:kcovfs`;

/**
 * What a document's probes have hit since the last time, as signed numbers; nothing where it has none. It
 * may be paused, or about to be, which this does not change.
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
