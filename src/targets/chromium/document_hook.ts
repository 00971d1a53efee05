import type { PausedEvent } from "../cdp/shapes.ts";

/** A URL that no script of a page has, because of its scheme; such a script is never measured. */
export const HOOK_URL = "internal:kcovfs/document";
const LEAVING = "kcovfsLeaving";

/**
 * Runs in each new document before its own scripts. It stops there, and again when the document is about to
 * be left. So the page is found in its new isolate before anything has run in it, is held if it is to be
 * held, and is collected from before V8 loses its counts.
 *
 * **Measured** on Chromium 156: each navigation, even a reload within one renderer, ends the inspector's
 * sessions with the old document and begins new ones. That stops precise coverage for the whole isolate
 * and starts it again: all counts since the last collection are gone. During a navigation Chromium keeps
 * back all commands but a few (`ShouldSuspendDuringNavigation` in
 * `content/browser/devtools/devtools_session.cc`), also `takePreciseCoverage`. `beforeunload` is
 * dispatched before that.
 *
 * It does not stop in the empty document of a popup, whose opener waits. Where somebody waits for a debugger,
 * no pause may come: Chromium has one nested loop for both (`ClientMessageLoopAdapter` in
 * `web_dev_tools_agent_impl.cc`), and would never leave it.
 */
export const DOCUMENT_HOOK = `if (location.href !== "about:blank") debugger;
addEventListener("beforeunload", function ${LEAVING}() { debugger; });
//# sourceURL=${HOOK_URL}`;

/** Why a page paused: at the start of a document, at its end, or for another reason. */
export type Pause = "arriving" | "leaving" | "other";

/**
 * Says why a page paused.
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
