/** What commands ask a server, and what it answers, as both sides check it. */
import * as v from "valibot";
import { index, list, named, record, texts } from "../base/shape.ts";
import type { ThreadId } from "../base/thread_id.ts";
import type { Counts, InstanceStatus, NodeId, TargetId } from "../kcov/mod.ts";
import { COLLECTOR_CHOICE } from "./agent_messages.ts";

/** One target as `ps` shows it. */
export type TargetRow = v.InferOutput<typeof TARGET_ROW>;
const TARGET_ROW = record({
  id: named<TargetId>(),
  name: v.string(),
  pid: index,
  runtime: v.string(),
  /** Of a worker thread: its number for the kernel, and the target that has started it. */
  tid: v.exactOptional(named<ThreadId>()),
  parent: v.exactOptional(named<TargetId>()),
  link: v.string(),
  collector: v.string(),
  hold: v.string(),
  scripts: index,
  blocks: index,
  state: v.string(),
  note: v.string(),
});
const TARGET_ROWS = list(TARGET_ROW);

/** A script that is not measured. */
export type UnprobedScript = v.InferOutput<typeof UNPROBED_SCRIPT>;
const UNPROBED_SCRIPT = record({
  /** The target's name. */
  target: v.string(),
  url: v.string(),
  reason: v.string(),
});

/** Since when what has executed is told: since the server started, or since the last reset. */
export type Since = v.InferOutput<typeof SINCE>;
const SINCE = v.picklist(["start", "reset"]);

/** What is asked for, and whether the next reset is now. */
export type CoveredParams = v.InferOutput<typeof COVERED_PARAMS>;
const COVERED_PARAMS = record({ since: SINCE, isReset: v.boolean() });

/** What a target has executed, or several of one name one after the other. */
export type CoveredTarget = v.InferOutput<typeof COVERED_TARGET>;
const COVERED_TARGET = record({
  name: v.string(),
  /** Each with its first block's number, and its blocks as `packBits` writes them. */
  scripts: list(record({ base: index, blocks: v.string() })),
});
export const COVERED_TARGETS = list(COVERED_TARGET);

/** What a server tells of itself. */
export type ServerFacts = v.InferOutput<typeof SERVER_FACTS>;
const SERVER_FACTS = record({
  pid: index,
  /** The folder of its symbol table. */
  state: v.string(),
  version: v.string(),
  collector: COLLECTOR_CHOICE,
  /** Whether clients can map the memory that probes write into. */
  isPassthrough: v.boolean(),
});

const COUNTS = v.object({
  executions: v.number(),
  pcs: v.number(),
  full: v.number(),
  faults: v.number(),
  collecting: v.number(),
  answering: v.number(),
  holding: v.number(),
}) satisfies v.GenericSchema<unknown, Counts>;

const INSTANCE_STATUS = record({
  id: named<NodeId>(),
  client: v.exactOptional(record({ pid: index, name: v.string() })),
  state: v.picklist(["opened", "initialized", "enabled"]),
  owner: v.exactOptional(named<ThreadId>()),
  mode: v.exactOptional(v.picklist(["pc", "fold", "cmp"])),
  scope: v.union([v.literal("all"), list(named<TargetId>())]),
  words: v.exactOptional(index),
  // Any number that a client may store.
  count: v.exactOptional(v.number()),
  counts: v.exactOptional(COUNTS),
}) satisfies v.GenericSchema<unknown, InstanceStatus>;

/** What a server has to tell at one time. Counts only grow; those of two snapshots make a rate. */
export type Snapshot = v.InferOutput<typeof SNAPSHOT>;
const SNAPSHOT = record({
  /** Seconds since the server has begun, on a monotonic clock. */
  uptime: v.number(),
  server: SERVER_FACTS,
  targets: TARGET_ROWS,
  instances: list(INSTANCE_STATUS),
  /** Of all instances there have been; missing where clients map what targets write. */
  total: v.exactOptional(COUNTS),
  /** Blocks that targets have executed since the server has begun, where that is recorded. */
  coveredBlocks: v.exactOptional(index),
});

/** Of how many modules a Deno can wait for us. */
const MOST_STARTS = 100;

/** What is to be attached to, and how. */
export type AttachParams = v.InferOutput<typeof ATTACH_PARAMS>;
const ATTACH_PARAMS = record({
  /** As `parseAddress` takes it. */
  address: v.string(),
  /** What the target is called; what it runs, unless given. */
  name: v.exactOptional(v.string()),
  include: v.exactOptional(texts),
  exclude: v.exactOptional(texts),
  /** The process behind the address, where the caller knows it. */
  pid: v.exactOptional(index),
  /** Of how many modules it waits for us before the first line: it is a Deno with `--inspect-brk`. */
  starts: v.exactOptional(v.pipe(index, v.maxValue(MOST_STARTS, `at most ${MOST_STARTS}`))),
});

/** Which target is to be let go. */
export type DetachParams = v.InferOutput<typeof DETACH_PARAMS>;
const DETACH_PARAMS = record({
  /** Its name or number. */
  target: v.string(),
});

/** A request without more to say. */
const PLAIN_KINDS = ["targets", "unprobed", "server", "status"] as const;

/** A request, as it comes to the server. */
export type Request = v.InferOutput<typeof REQUEST>;
export const REQUEST = v.variant("kind", [
  v.object({ kind: v.picklist(PLAIN_KINDS) }),
  v.object({ kind: v.literal("covered"), params: COVERED_PARAMS }),
  v.object({ kind: v.literal("attach"), params: ATTACH_PARAMS }),
  v.object({ kind: v.literal("detach"), params: DETACH_PARAMS }),
]);

/** What each request is answered. */
export const RESULTS = {
  /** The targets, as `ps --json` prints them. */
  targets: TARGET_ROWS,
  /** The scripts without probes of targets whose scripts have some. */
  unprobed: list(UNPROBED_SCRIPT),
  /** What has executed, by target. */
  covered: COVERED_TARGETS,
  /** Where the server keeps its symbols. */
  server: SERVER_FACTS,
  /** What happens, in numbers. */
  status: SNAPSHOT,
  /** Makes targets of what runs already; the result is those it has made. */
  attach: TARGET_ROWS,
  /** Lets a target go; the result is those that went. */
  detach: TARGET_ROWS,
} as const;

/** What is asked. */
export type Kind = keyof typeof RESULTS;
/** What follows the kind of a request. */
export type Params<K extends Kind> = Extract<Request, { kind: K; params: unknown }>["params"];
/** What a request is answered. */
export type Result<K extends Kind> = v.InferOutput<(typeof RESULTS)[K]>;

/** A response is the result, or why there is none. */
export const RESPONSE = v.object({
  /** A line for the user, who can mend it. */
  refusal: v.exactOptional(v.string()),
  /** What went wrong in the server. */
  error: v.exactOptional(v.string()),
  result: v.exactOptional(v.unknown()),
});
