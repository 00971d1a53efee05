/**
 * What this program relies on of the Chrome DevTools Protocol: of each answer and each event those members
 * that it reads. A target's inspector may say anything, and a later version of V8 something else.
 */
import * as v from "valibot";
import { integer, list, record } from "../../base/shape.ts";

/** Any message: an answer has the number of its command, and an event has none. */
export const MESSAGE = record({
  id: v.exactOptional(integer),
  method: v.exactOptional(v.string()),
  params: v.exactOptional(v.unknown()),
  result: v.exactOptional(v.unknown()),
  error: v.exactOptional(v.unknown()),
});

/** What commands answer, by their names; of others nothing is read. */
export const RESULTS = {
  "Debugger.getScriptSource": record({ scriptSource: v.string() }),
  "Profiler.takePreciseCoverage": record({ result: v.exactOptional(v.unknown()) }),
  "Runtime.evaluate": record({
    result: record({
      value: v.exactOptional(v.unknown()),
      objectId: v.exactOptional(v.string()),
      description: v.exactOptional(v.string()),
    }),
    exceptionDetails: v.exactOptional(record({
      text: v.string(),
      exception: v.exactOptional(record({ description: v.exactOptional(v.string()) })),
    })),
  }),
  "Runtime.getIsolateId": record({ id: v.string() }),
  "SystemInfo.getInfo": record({ commandLine: v.string() }),
} as const;

/** What `Debugger.paused` tells. */
export type PausedEvent = v.InferOutput<(typeof EVENTS)["Debugger.paused"]>;
/** What `Target.attachedToTarget` tells. */
export type AttachedEvent = v.InferOutput<(typeof EVENTS)["Target.attachedToTarget"]>;

/** What events tell, by their names; of others nothing is read. */
export const EVENTS = {
  "Debugger.paused": record({
    reason: v.string(),
    callFrames: list(record({
      functionName: v.string(),
      location: record({ scriptId: v.string() }),
    })),
  }),
  "Debugger.scriptParsed": record({ scriptId: v.string(), url: v.string() }),
  "Page.frameNavigated": record({ frame: record({ id: v.string(), url: v.string() }) }),
  "Page.frameStartedNavigating": record({ frameId: v.string(), navigationType: v.string() }),
  "Page.frameStoppedLoading": record({ frameId: v.string() }),
  "Page.javascriptDialogOpening": record({ hasBrowserHandler: v.boolean(), type: v.string() }),
  "Target.attachedToTarget": record({
    sessionId: v.string(),
    targetInfo: record({
      ...{ targetId: v.string(), type: v.string(), title: v.string(), url: v.string() },
      openerId: v.exactOptional(v.string()),
    }),
    waitingForDebugger: v.boolean(),
  }),
  "Target.detachedFromTarget": record({ sessionId: v.string() }),
} as const;

/** What of a table's row is read; of a name without a row, nothing. */
export type Told<T extends Readonly<Record<string, v.GenericSchema>>, K> = K extends keyof T
  ? v.InferOutput<T[K]>
  : unknown;
