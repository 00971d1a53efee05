/** Makes findings of a harness's answers, and of its end. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { checkJson, index, list, record } from "../base/shape.ts";
import { CLASSES, type Found, type LoadFailure, type Sightings } from "../harness/protocol.ts";
import { commonStack } from "./cause.ts";

const frames = list(v.string());
const foundShape = record({ class: v.string(), message: v.string(), stack: frames });
const failureShape = record({ message: v.string(), stack: frames });
const sightingsShape = record({ stacks: list(frames) });
const endShape = record({ status: index });
/** A part of the report that Node writes when it aborts. */
const reportShape = record({
  header: record({ event: v.optional(v.string(), ""), trigger: v.optional(v.string(), "") }),
});

const BY_NUMBER = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);

/** How much an input may take. */
export interface Limits {
  /** s of processor time. */
  readonly timeout: number;
  /** MB. */
  readonly memory: number;
}

/** A finding of the harness's own; a class is a file's name, too. */
export function readFound(text: string): Found {
  const found = checkJson(foundShape, text);
  return { ...found, class: found.class.replace(/[^\w$.-]/g, "_").slice(0, 80) };
}

export function readFailure(text: string): LoadFailure {
  return checkJson(failureShape, text);
}

/** @param text Where the main thread was; nothing, if it could not say so. */
export function hangOf(text: string, { timeout }: Limits): Found {
  const stack = commonStack(readSightings(text));
  const isIdle = stack.length === 0;
  const message = isIdle
    ? "it waits for what does not come"
    : `no end after ${timeout} s of processor time`;
  return { class: CLASSES.hang, message, stack };
}

export function memoryOf(text: string, { memory }: Limits): Found {
  const stack = commonStack(readSightings(text));
  return { class: CLASSES.memory, message: `more than ${memory} MB`, stack };
}

/**
 * Tells how a harness has ended.
 *
 * @param text Its status, as wait(2) has it.
 * @param reports Where Node has written a report, if it ran out of memory.
 */
export function endOf(text: string, reports: string): Found {
  const { status } = checkJson(endShape, text);
  const [code, signal] = [status >> 8 & 0xff, status & 0x7f];
  const report = takeReport(reports);
  if (report?.trigger === "OOMError" || /heap|out of memory/i.test(report?.event ?? "")) {
    return { class: CLASSES.memory, message: report!.event, stack: [] };
  }
  if (signal === 0) {
    return { class: CLASSES.exit, message: `the process ended with status ${code}`, stack: [] };
  }
  const name = BY_NUMBER.get(signal) ?? `signal ${signal}`;
  const why = report?.event ? `: ${report.event}` : "";
  return { class: CLASSES.crash, message: `the process was ended by ${name}${why}`, stack: [] };
}

function readSightings(text: string): Sightings {
  return text === "" ? { stacks: [] } : checkJson(sightingsShape, text);
}

function takeReport(folder: string): { event: string; trigger: string } | undefined {
  if (!existsSync(folder)) return undefined;
  const [name] = readdirSync(folder).filter((name) => name.endsWith(".json"));
  if (name === undefined) return undefined;
  try {
    return checkJson(reportShape, readFileSync(join(folder, name), "utf8")).header;
  } catch {
    // Node was killed while it wrote.
    return undefined;
  } finally {
    rmSync(join(folder, name), { force: true });
  }
}
