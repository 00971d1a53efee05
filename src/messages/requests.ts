/** The requests of commands, and the server's answers, as both sides check them. */
import * as v from "valibot";
import { index, list, named, record, texts } from "../base/shape.ts";
import type { ThreadId } from "../base/thread_id.ts";
import type { Counts, InstanceStatus, NodeId, TargetId } from "../kcov/mod.ts";
import { COLLECTOR_CHOICE } from "./agent_messages.ts";

/** A target's row in `ps`. */
export type TargetRow = v.InferOutput<typeof TARGET_ROW>;
const TARGET_ROW = record({
  id: named<TargetId>(),
  name: v.string(),
  pid: index,
  runtime: v.string(),
  /** For a worker thread: the kernel's number of it, and the target that has started it. */
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

/** The beginning of a report: the server's start, or the last reset. */
export type Since = v.InferOutput<typeof SINCE>;
const SINCE = v.picklist(["start", "reset"]);

/** The beginning of the report, and whether to reset now. */
export type CoveredParams = v.InferOutput<typeof COVERED_PARAMS>;
const COVERED_PARAMS = record({ since: SINCE, isReset: v.boolean() });

/** The blocks that a target has executed; targets of one name, one after the other, are taken together. */
export type CoveredTarget = v.InferOutput<typeof COVERED_TARGET>;
const COVERED_TARGET = record({
  name: v.string(),
  /** For each script: its first block's number, and its blocks in the form that `packBits` writes. */
  scripts: list(record({ base: index, blocks: v.string() })),
});
export const COVERED_TARGETS = list(COVERED_TARGET);

/** A server's facts about itself. */
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
  // Any number: a client may store it.
  count: v.exactOptional(v.number()),
  counts: v.exactOptional(COUNTS),
}) satisfies v.GenericSchema<unknown, InstanceStatus>;

/** A server's numbers at one time. Counts only grow; those of two snapshots make a rate. */
export type Snapshot = v.InferOutput<typeof SNAPSHOT>;
const SNAPSHOT = record({
  /** Seconds since the server began, on a monotonic clock. */
  uptime: v.number(),
  server: SERVER_FACTS,
  targets: TARGET_ROWS,
  instances: list(INSTANCE_STATUS),
  /** Of all instances that there have been; absent with passthrough. */
  total: v.exactOptional(COUNTS),
  /** Blocks that targets have executed since the server began, if that is recorded. */
  coveredBlocks: v.exactOptional(index),
});

/** The most modules at which a Deno can wait for us. */
const MOST_STARTS = 100;

/** The address to attach to, and the options. */
export type AttachParams = v.InferOutput<typeof ATTACH_PARAMS>;
const ATTACH_PARAMS = record({
  /** In a form that `parseAddress` takes. */
  address: v.string(),
  /** The target's name; by default, that of its program. */
  name: v.exactOptional(v.string()),
  include: v.exactOptional(texts),
  exclude: v.exactOptional(texts),
  /** The process behind the address, if the caller knows it. */
  pid: v.exactOptional(index),
  /** The number of modules at whose first lines it waits for us: it is a Deno with `--inspect-brk`. */
  starts: v.exactOptional(v.pipe(index, v.maxValue(MOST_STARTS, `at most ${MOST_STARTS}`))),
});

/** The target to let go. */
export type DetachParams = v.InferOutput<typeof DETACH_PARAMS>;
const DETACH_PARAMS = record({
  /** Its name or number. */
  target: v.string(),
});

/** The kinds of requests without parameters. */
const PLAIN_KINDS = ["targets", "unprobed", "server", "status"] as const;

/** A request, as it comes to the server. */
export type Request = v.InferOutput<typeof REQUEST>;
export const REQUEST = v.variant("kind", [
  v.object({ kind: v.picklist(PLAIN_KINDS) }),
  v.object({ kind: v.literal("covered"), params: COVERED_PARAMS }),
  v.object({ kind: v.literal("attach"), params: ATTACH_PARAMS }),
  v.object({ kind: v.literal("detach"), params: DETACH_PARAMS }),
]);

/** The result of each request. */
export const RESULTS = {
  /** The targets, as `ps --json` prints them. */
  targets: TARGET_ROWS,
  /** The scripts without probes, of targets with probes. */
  unprobed: list(UNPROBED_SCRIPT),
  /** The blocks that have executed, by target. */
  covered: COVERED_TARGETS,
  /** The server's facts, among them the folder of its symbols. */
  server: SERVER_FACTS,
  /** The present numbers. */
  status: SNAPSHOT,
  /** Makes targets of programs that run already; the result is the new targets. */
  attach: TARGET_ROWS,
  /** Lets a target go; the result is the targets that went. */
  detach: TARGET_ROWS,
} as const;

export type Kind = keyof typeof RESULTS;
/** The part of a request after its kind. */
export type Params<K extends Kind> = Extract<Request, { kind: K; params: unknown }>["params"];
export type Result<K extends Kind> = v.InferOutput<(typeof RESULTS)[K]>;

/** A response: the result, or why there is none. */
export const RESPONSE = v.object({
  /** A line for the user, who can mend the fault. */
  refusal: v.exactOptional(v.string()),
  /** A failure of the server. */
  error: v.exactOptional(v.string()),
  result: v.exactOptional(v.unknown()),
});
