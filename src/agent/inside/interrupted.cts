/**
 * The place where the inspector has interrupted a thread's JavaScript. A collection that interrupts a
 * function at its very beginning splits V8's counts there: see `blocks/entered_function.ts`.
 *
 * V8 tells places in stack traces. The program sees these, too: it may replace, limit and freeze what makes
 * them. So a realm of the agent's own makes them; no program sees its `Error`.
 */
const vm = require("node:vm") as typeof import("node:vm");

/** The methods of V8's `CallSite` that are called; nobody can replace them. */
interface CallSite {
  getFunctionName(): string | null;
  getPosition(): number;
  getScriptNameOrSourceURL(): string | null;
  isAsync(): boolean;
}

type FindCallSites = (from: object) => readonly CallSite[] | undefined;

/** The URL of the expressions that the inspector evaluates: see `messages/shared_words.ts`. */
const OWN = "node:kcovfs";

/** Three frames: the inspector's expression, the function that it has interrupted, and that one's caller. */
const REALM = `"use strict";
let kept;
const { captureStackTrace } = Error;
Error.stackTraceLimit = 3;
Error.prepareStackTrace = (_, sites) => {
  kept = sites;
};
(from) => {
  const trace = {};
  captureStackTrace(trace, from);
  kept = undefined;
  trace.stack;
  const sites = kept;
  kept = undefined;
  return sites;
}`;

/** Built-in functions that resume a generator. V8 does not say of all of them that they are native. */
const RESUMING = ["next", "return", "throw"];
/** Node's script that makes V8 run microtasks. */
const MICROTASKS = "node:internal/process/task_queues";

/**
 * Makes a function that returns the place where the thread was interrupted, in the form of a V8 report of no
 * script; or "" where only the runtime's own JavaScript was interrupted. Its argument is the function that
 * the inspector's expression calls.
 *
 * It calls nothing that the program can replace.
 */
function makeInterrupted(): (from: object) => string {
  try {
    const context = vm.createContext({}, { name: OWN });
    const find = new vm.Script(REALM, { filename: OWN }).runInContext(context) as FindCallSites;
    return (from) => interruptedAt(find(from));
  } catch {
    // The program changed `vm` before the agent came.
    return () => "";
  }
}

const { stringify } = JSON;
const isRuntime = (url: string) => startsWith(url, "node:");
const startsWith: (text: string, start: string) => boolean = Function.prototype.call.bind(
  String.prototype.startsWith,
);

function interruptedAt(sites: readonly CallSite[] | undefined): string {
  if (!sites || sites.length < 2 || sites[0].getScriptNameOrSourceURL() !== OWN) return "";
  const site = sites[1];
  const url = site.getScriptNameOrSourceURL();
  if (typeof url !== "string" || isRuntime(url) || site.isAsync()) return "";
  const name = site.getFunctionName() ?? "";
  const position = site.getPosition();
  const count = mayResume(sites[2]) ? 1 : 0;
  // On an object, `stringify` would look for `toJSON`, which the program may have put there.
  return `{"scriptId":"","url":${stringify(url)},"functions":[{"functionName":${stringify(name)},` +
    `"ranges":[{"startOffset":${position},"endOffset":${position},"count":${count}}],` +
    `"isBlockCoverage":false}]}`;
}

/**
 * Whether a function with this caller may have just been resumed, if its kind can be. V8 resumes an async
 * function from a microtask, or shows its awaiter as the caller; a generator is resumed by a built-in
 * function.
 */
function mayResume(caller: CallSite | undefined): boolean {
  if (!caller || caller.isAsync()) return true;
  if (caller.getScriptNameOrSourceURL() === MICROTASKS) return true;
  const name = caller.getFunctionName();
  return RESUMING[0] === name || RESUMING[1] === name || RESUMING[2] === name;
}

const parts = { makeInterrupted };
module.exports = parts;
export type Parts = typeof parts;
