/**
 * A value that only resembles a message is refused in a line, for each kind that a process takes from
 * another.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type * as v from "valibot";
import { ANSWER, QUESTION, QUESTIONS } from "../../src/base/process_reader.ts";
import { check, ShapeError } from "../../src/base/shape.ts";
import { HELLO, NEW_SOURCE, SCRIPT_URLS, SOURCES } from "../../src/messages/agent_messages.ts";
import { REQUEST, RESPONSE, RESULTS } from "../../src/messages/requests.ts";
import { entryOf, HEADER } from "../../src/recording/entry.ts";
import { EVENTS, MESSAGE, RESULTS as ANSWERS } from "../../src/targets/cdp/shapes.ts";
import { WATCHDOG_MESSAGE } from "../../src/watchdog/mod.ts";
import { mutateJson } from "../hostile/mutate_text.ts";
import { Random } from "../hostile/random.ts";

const shapes = suite("messages, their shapes");

/** Mutants of each example. */
const MUTANTS = 400;

const ROW = {
  ...{ id: 1, name: "api", pid: 7, runtime: "node v20.20.2", tid: 8, parent: 1, link: "agent" },
  ...{ collector: "v8", hold: "gate", scripts: 2, blocks: 30, state: "running", note: "" },
};
const FACTS = { pid: 7, state: "/var", version: "0.1.0", collector: "auto", isPassthrough: true };
const COUNTS = {
  ...{ executions: 1, pcs: 2, full: 0, faults: 3 },
  ...{ collecting: 1.5, answering: 2, holding: 3 },
};
const INSTANCE = {
  ...{ id: 1001, client: { pid: 9, name: "afl" }, state: "enabled", owner: 9, mode: "pc" },
  ...{ scope: [1, 2], words: 512, count: 3, counts: COUNTS },
};
const COVERED = [{ name: "api", scripts: [{ base: 8, blocks: "AQ==" }] }];
const SERVER = {
  ...{ mode: 384, uid: 0, gid: 0, mounted: 1, socket: "/s", files: ["targets"] },
  ...{ passthrough: true, maxWrite: 4096, maxReadahead: 0 },
};
const FRAME = { functionName: "f", location: { scriptId: "1" } };
const TARGET = { targetId: "1", type: "page", title: "a", url: "http://a/", openerId: "2" };
const ATTACH = {
  ...{ address: "127.0.0.1:9229", name: "a", include: ["**"], exclude: [], pid: 7, starts: 1 },
};

/** By kind of message: its schema, and messages that have every member. */
const KINDS: Record<string, [v.GenericSchema, ...unknown[]]> = {
  hello: [HELLO, {
    ...{ protocol: 7, name: "api", pid: 7, runtime: "node v20.20.2", parent: "shop", tid: 8 },
    ...{ include: ["**"], exclude: [], collector: "trace", attachment: "x", unheld: "why" },
  }],
  "a new source": [NEW_SOURCE, { url: "file:///a.js", source: "f()" }],
  "URLs of scripts": [SCRIPT_URLS, ["file:///a.js", ""]],
  sources: [SOURCES, { 1: "f()" }],
  request: [
    REQUEST,
    { kind: "status" },
    { kind: "covered", params: { since: "start", isReset: false } },
    { kind: "attach", params: ATTACH },
    { kind: "detach", params: { target: "api" } },
  ],
  response: [RESPONSE, { error: "no" }, { result: [ROW] }],
  targets: [RESULTS.targets, [ROW]],
  unprobed: [RESULTS.unprobed, [{ target: "api", url: "a", reason: "why" }]],
  covered: [RESULTS.covered, COVERED],
  server: [RESULTS.server, FACTS],
  status: [RESULTS.status, {
    ...{ uptime: 1.5, server: FACTS, targets: [ROW], instances: [INSTANCE] },
    ...{ total: COUNTS, coveredBlocks: 4 },
  }],
  "a question to the reader": [QUESTION, { id: 1, kind: "memory", ask: {} }],
  "a question of the reader's": [QUESTIONS.memory.ask, { tid: 1, at: "4096", size: 8 }],
  "the reader's answer": [ANSWER, { id: 1, answer: {} }, { id: 1, error: "no" }],
  "facts of a process": [QUESTIONS.process.answer, {
    ...{ pid: 1, program: "node", state: "S", uid: 0, handlesSigusr1: true },
    ...{ hasInspectOption: false, sharesNetwork: true },
  }],
  listeners: [QUESTIONS.listeners.answer, [{ address: "127.0.0.1", port: 80 }]],
  "the watchdog's": [
    WATCHDOG_MESSAGE,
    { kind: "watch", connection: 40, directory: "/mnt", namespace: "/proc/1/ns/mnt" },
    { kind: "forget", connection: 40 },
    { kind: "remove", folder: "/run/kcovfs/1-a" },
    { kind: "bye" },
  ],
  "a recording's first line": [HEADER, {
    ...{ recording: "kcovfs", format: 1, version: "0.1.0", kernel: "6.18", began: "2026" },
    ...SERVER,
  }],
  "CDP message": [
    MESSAGE,
    { id: 1, result: {}, error: {} },
    { method: "a", params: {} },
  ],
  evaluated: [ANSWERS["Runtime.evaluate"], {
    result: { value: 1, objectId: "1", description: "a" },
    exceptionDetails: { text: "a", exception: { description: "b" } },
  }],
  paused: [EVENTS["Debugger.paused"], { reason: "other", callFrames: [FRAME] }],
  attached: [EVENTS["Target.attachedToTarget"], {
    ...{ sessionId: "1", targetInfo: TARGET, waitingForDebugger: true },
  }],
};

/** Any lines of a recording but the first. */
const ENTRIES: readonly object[] = [
  { t: 1.5, rx: "AA==" },
  { t: 1, tx: "AA==" },
  { t: 1, nt: 1, bytes: "AA==" },
  { t: 1, nt: 1, errno: 2 },
  { t: 1, thread: 7, start: null },
  { t: 1, memory: "0x18", tid: 7, bytes: null },
  { t: 1, targets: [{ name: "api", id: 1, isAlive: true }] },
  { t: 1, comparable: true },
  { t: 1, direct: false },
  { t: 1, written: true },
  { t: 1, ioctl: 5, result: 1 },
];

/** The accepted part of a value; undefined when it is refused, in a line. */
function left(take: (value: unknown) => unknown, value: unknown): unknown {
  try {
    return take(value);
  } catch (error) {
    assert.instance(error, ShapeError);
    assert.match((error as Error).message, /^[^\n]{1,400}$/);
    return undefined;
  }
}

/** How many of a message's mutants are accepted, and how many are refused. */
function tryMutants(take: (value: unknown) => unknown, example: unknown): [number, number] {
  const counts: [number, number] = [0, 0];
  for (let i = 0; i < MUTANTS; i++) {
    const mutant = mutateJson(example, new Random(7, i));
    const value: unknown = JSON.parse(JSON.stringify(mutant) ?? "null");
    const taken = left(take, value);
    if (taken !== undefined) {
      // Nothing is added, and an accepted value is accepted again.
      assert.equal(left(take, JSON.parse(JSON.stringify(taken))), taken);
    }
    counts[taken === undefined ? 1 : 0]++;
  }
  return counts;
}

for (const [kind, [schema, ...examples]] of Object.entries(KINDS)) {
  shapes(`${kind}: all of it is kept, and what is wrong is refused in a line`, () => {
    for (const example of examples) {
      const take = (value: unknown) => check(schema, value);
      assert.equal(take(example), example);
      const [, refused] = tryMutants(take, example);
      assert.ok(refused > MUTANTS / 50, `${refused} of ${JSON.stringify(example)} are refused`);
    }
  });
}

shapes("a recording's lines: all of each is kept, and what is wrong is refused in a line", () => {
  for (const entry of ENTRIES) {
    assert.equal(entryOf(entry), entry);
    const take = (value: unknown) => entryOf(Object(value) as object) ?? { isOther: true };
    const [, refused] = tryMutants(take, entry);
    assert.ok(refused > MUTANTS / 50, `${refused} of ${JSON.stringify(entry)} are refused`);
  }
});

shapes("a watchdog is never told to remove everything", () => {
  for (const folder of ["", "/", "run", "./a"]) {
    assert.throws(() => check(WATCHDOG_MESSAGE, { kind: "remove", folder }), /^folder must be/);
  }
});

shapes.run();
