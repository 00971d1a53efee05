import { fileURLToPath } from "node:url";
import type { Found } from "./protocol.ts";

/** Characters and frames of an error that are told: more is of no use, and has to go through the channel. */
const MOST_TEXT = 2000;
const MOST_FRAMES = 50;
/** Where the harness's own scripts are. */
const OURS = fileURLToPath(new URL(".", import.meta.url));
const FRAME = /^\s+at /;
/** Of an ES module. */
const URL_IN_FRAME = /file:\/\/\S+?(?=:\d+:\d+\)?$)/;

/** Describes a thrown value, which may be anything. An exception that it throws when it is read is caught. */
export function describeThrown(thrown: unknown): Found {
  if (typeof thrown !== "object" || thrown === null) {
    return { class: `thrown-${typeOf(thrown)}`, message: textOf(thrown), stack: [] };
  }
  return {
    class: classOf(thrown),
    message: textOf(memberOf(thrown, "message") ?? ""),
    stack: framesOf(memberOf(thrown, "stack")),
  };
}

/** The frames of a stack: those of the user's code, and of Node where it was called by that. */
export function framesOf(stack: unknown): string[] {
  if (typeof stack !== "string") return [];
  const frames = stack.split("\n").filter((line) => FRAME.test(line));
  // The harness's own callers are of no interest.
  const end = frames.findIndex((line) => line.includes(OURS));
  const theirs = end < 0 ? frames : frames.slice(0, end);
  return theirs.slice(0, MOST_FRAMES).map((frame) => frame.replace(URL_IN_FRAME, pathOf));
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

/** The stack of who calls, without the harness's frames on top of it. */
export function stackHere(): string[] {
  const { stack = "" } = new Error();
  const lines = stack.split("\n").slice(1);
  const first = lines.findIndex((line) => !line.includes(OURS));
  return framesOf(lines.slice(Math.max(first, 0)).join("\n"));
}

/** The names of the classes of an error, its own first, as `instanceof` knows them. */
export function classNames(thrown: unknown): string[] {
  const names: string[] = [];
  try {
    const own = memberOf(thrown as object, "name");
    if (typeof own === "string") names.push(own);
    for (let at = Object.getPrototypeOf(thrown); at; at = Object.getPrototypeOf(at)) {
      const name: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value?.name;
      if (typeof name === "string") names.push(name);
    }
  } catch {
    // It is no object, or a proxy that does not want to be looked at.
  }
  return names;
}

function classOf(thrown: object): string {
  const [name = "", constructor = ""] = classNames(thrown);
  // An error class without a name of its own is called "Error".
  const best = name === "Error" || name === "" ? constructor || name : name;
  return /^[\w$.-]+$/.test(best) ? best : "Error";
}

function memberOf(thrown: object, name: string): unknown {
  try {
    return (thrown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function typeOf(thrown: unknown): string {
  return thrown === null ? "null" : typeof thrown;
}

function textOf(value: unknown): string {
  try {
    return String(value).slice(0, MOST_TEXT);
  } catch {
    return "";
  }
}
