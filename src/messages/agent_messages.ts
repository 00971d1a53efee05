/** What an agent says about itself and its scripts, as the server checks it. */
import * as v from "valibot";
import { index, integer, list, named, record, texts } from "../base/shape.ts";
import type { LiveReport, LoadedScript } from "./live.ts";
import type { ThreadId } from "../base/thread_id.ts";
import type { TargetId } from "../kcov/mod.ts";

/** How a target's executed blocks are learned: from V8's counters, or from probes in the scripts. */
export type CollectorName = v.InferOutput<typeof COLLECTOR>;
export const COLLECTOR = v.picklist(["v8", "trace"]);

/** How those of a server's targets are: `auto`: by probes where there can be any, else by V8's counters. */
export type CollectorChoice = v.InferOutput<typeof COLLECTOR_CHOICE>;
export const COLLECTOR_CHOICE = v.picklist(["v8", "trace", "auto"]);

/** How a target introduces itself. */
export type Hello = v.InferOutput<typeof HELLO>;
export const HELLO = record({
  protocol: integer,
  /** What the user calls it, or what it runs. */
  name: v.string(),
  pid: index,
  /** `node v20.20.2`. */
  runtime: v.string(),
  /**
   * What has started it, whose name comes before its own: of a worker thread, the number of the target
   * that did; of a process, the name.
   */
  parent: v.exactOptional(v.union([v.string(), named<TargetId>()])),
  /** The number of a worker thread, for the kernel; a process's main thread has that of the process. */
  tid: v.exactOptional(named<ThreadId>()),
  /** Globs of the scripts that are measured; those of the server's options must let a script pass, too. */
  include: v.exactOptional(texts),
  exclude: v.exactOptional(texts),
  /** @default {"v8"} */
  collector: v.exactOptional(COLLECTOR),
  /** Of one with probes: why it cannot be held, if so. */
  unheld: v.exactOptional(v.string()),
  /** Of a process that was attached to, what the server gave the agent to be known by. */
  attachment: v.exactOptional(v.string()),
});

/** A script that is about to be compiled. */
export type NewSource = v.InferOutput<typeof NEW_SOURCE>;
export const NEW_SOURCE = record({
  url: v.string(),
  source: v.string(),
  /** Of a script that a program has made: the URL of the one that has, or an empty one. Its own may be empty. */
  maker: v.exactOptional(v.string()),
  /** Whether the value of the script matters, as that of `eval` does. */
  keepsValue: v.exactOptional(v.boolean()),
  /** Whether the code is to have a source map in it. */
  wantsMap: v.exactOptional(v.boolean()),
  /** Whether it runs already: then it gets what is put into it, rather than code. */
  isLive: v.exactOptional(v.boolean()),
});

/** Scripts that an isolate has loaded. */
export const LOADED_SCRIPTS = list(record({
  id: v.string(),
  url: v.string(),
  length: index,
  isModule: v.boolean(),
})) satisfies v.GenericSchema<unknown, readonly LoadedScript[]>;

/** How far one of them has come; null when all were tried. */
export const LIVE_REPORT = v.nullable(record({
  url: v.string(),
  done: index,
  all: index,
  refused: list(record({ row: index, status: v.string() })),
  reason: v.exactOptional(v.string()),
})) satisfies v.GenericSchema<unknown, LiveReport | null>;

/** The URLs of the scripts of an isolate. */
export const SCRIPT_URLS = texts;

/** The texts of scripts, by their ids: what an agent's `sources` returns. */
export const SOURCES = v.record(v.string(), v.string());
