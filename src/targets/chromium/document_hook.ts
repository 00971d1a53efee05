import type { PausedEvent } from "../cdp/shapes.ts";

/** Of a scheme that no script of a page has, and that is never measured. */
export const HOOK_URL = "internal:kcovfs/document";
const LEAVING = "kcovfsLeaving";

/**
 * Runs in each new document before its own scripts, and stops there and when the document is about to be
 * left: the page is found in its new isolate before anything has run in it, held if it is to be, and
 * collected from before V8 loses its counts.
 *
 * **Measured** on Chromium 156: each navigation, a reload within one renderer too, ends the inspector's
 * sessions with the old document and begins new ones. That stops precise coverage for the whole isolate
 * and starts it again: all counts since the last collection are gone. Between the start of a navigation
 * and its end Chromium keeps back all commands but a few (`ShouldSuspendDuringNavigation` in
 * `content/browser/devtools/devtools_session.cc`), `takePreciseCoverage` among them. `beforeunload` is
 * dispatched before that.
 *
 * Not in the empty document of a popup, whose opener waits: where somebody waits for a debugger no pause
 * may come, for Chromium has one nested loop for both (`ClientMessageLoopAdapter` in
 * `web_dev_tools_agent_impl.cc`), and would never leave it.
 */
export const DOCUMENT_HOOK = `if (location.href !== "about:blank") debugger;
addEventListener("beforeunload", function ${LEAVING}() { debugger; });
//# sourceURL=${HOOK_URL}`;

/** Why a page paused: at the start of a document, at its end, or for another reason. */
export type Pause = "arriving" | "leaving" | "other";

/**
 * Tells why a page paused.
 *
 * @param isHook Whether a script is {@linkcode DOCUMENT_HOOK}: Chromium leaves a call frame's URL empty.
 */
export function pauseOf(
  { callFrames }: PausedEvent,
  isHook: (scriptId: string) => boolean,
): Pause {
  const [top] = callFrames;
  if (!top || !isHook(top.location.scriptId)) return "other";
  return top.functionName === LEAVING ? "leaving" : "arriving";
}
