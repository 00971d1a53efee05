/** An agent's messages about itself and its scripts, as the server checks them. */
import * as v from "valibot";
import { index, integer, named, record, texts } from "../base/shape.ts";
import type { ThreadId } from "../base/thread_id.ts";
import type { TargetId } from "../kcov/mod.ts";

/** The way by which a target's executed blocks are learned: V8's counters, or probes in the scripts. */
export type CollectorName = v.InferOutput<typeof COLLECTOR>;
const COLLECTOR = v.picklist(["v8", "trace"]);

/** The choice for a server's targets. `auto`: probes if there can be any, else V8's counters. */
export type CollectorChoice = v.InferOutput<typeof COLLECTOR_CHOICE>;
export const COLLECTOR_CHOICE = v.picklist(["v8", "trace", "auto"]);

/** A target's first message. */
export type Hello = v.InferOutput<typeof HELLO>;
export const HELLO = record({
  protocol: integer,
  /** The user's name for it, or the name of its program. */
  name: v.string(),
  pid: index,
  /** `node v20.20.2`. */
  runtime: v.string(),
  /**
   * The starter, whose name comes before its own. For a worker thread: the number of the target
   * that started it. For a process: the starter's name.
   */
  parent: v.exactOptional(v.union([v.string(), named<TargetId>()])),
  /** The kernel's number of a worker thread; a process's main thread has the number of the process. */
  tid: v.exactOptional(named<ThreadId>()),
  /** Globs of the scripts that are measured; the globs of the server's options must pick a script, too. */
  include: v.exactOptional(texts),
  exclude: v.exactOptional(texts),
  /** @default {"v8"} */
  collector: v.exactOptional(COLLECTOR),
  /** For a target with probes: why it cannot be held. */
  unheld: v.exactOptional(v.string()),
  /** For a process that was attached to: the id that the server gave the agent. */
  attachment: v.exactOptional(v.string()),
});

/** A script that is about to be compiled. */
export type NewSource = v.InferOutput<typeof NEW_SOURCE>;
export const NEW_SOURCE = record({
  url: v.string(),
  source: v.string(),
  /** For a script that a program has made: the URL of its maker, or "". Its own URL may be empty. */
  maker: v.exactOptional(v.string()),
  /** Whether the value of the script matters, as that of `eval` does. */
  keepsValue: v.exactOptional(v.boolean()),
  /** Whether the code is to contain a source map. */
  wantsMap: v.exactOptional(v.boolean()),
});

/** The URLs of the scripts of an isolate. */
export const SCRIPT_URLS = texts;

/** The texts of scripts, by their ids: the value that an agent's `sources` returns. */
export const SOURCES = v.record(v.string(), v.string());
