/**
 * The parts of the Chrome DevTools Protocol that this program reads: certain members of each answer and each
 * event. A target's inspector may send anything, and a later version of V8 something else.
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

/** The answers of commands, by name; of other commands' answers nothing is read. */
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

/** The parameters of `Debugger.paused`. */
export type PausedEvent = v.InferOutput<(typeof EVENTS)["Debugger.paused"]>;
/** The parameters of `Target.attachedToTarget`. */
export type AttachedEvent = v.InferOutput<(typeof EVENTS)["Target.attachedToTarget"]>;

/** The parameters of events, by name; of other events nothing is read. */
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

/** The type of a table's row; `unknown` for a name without a row. */
export type Told<T extends Readonly<Record<string, v.GenericSchema>>, K> = K extends keyof T
  ? v.InferOutput<T[K]>
  : unknown;
