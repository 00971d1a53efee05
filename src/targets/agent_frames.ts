/** Bounds of the frames that an agent sends, which may be anything: their lengths, and the structure of their JSON. */
import type * as v from "valibot";
import { parseFlatJson } from "../base/flat_json.ts";
import { check } from "../base/shape.ts";
import { FRAME } from "../messages/protocol.ts";

/**
 * The most bytes of a frame from a target, by the frame's type; frames of other types have only a number. The
 * largest program that was measured, TypeScript's compiler on a program, sends 3.4 MB in its first
 * collection, for 9 MB of scripts.
 */
const MOST_BYTES: ReadonlyMap<number, number> = new Map([
  // All sources that are not known yet.
  [FRAME.message, 128 * 1024 * 1024],
  [FRAME.source, 64 * 1024 * 1024],
  [FRAME.scripts, 16 * 1024 * 1024],
  [FRAME.loaded, 16 * 1024 * 1024],
  [FRAME.edited, 4 * 1024 * 1024],
  // The reason why it cannot write into an area.
  [FRAME.traced, 64 * 1024],
]);
/** A number or two. */
const MOST_OTHER_BYTES = 64;
/** For a collection: the bytes that are read in a fraction of the target's time, within these bounds. */
const TAKEN_BYTES_PER_MS = 12 * 1024;
const LEAST_TAKEN_BYTES = 4 * 1024 * 1024;
const MOST_TAKEN_BYTES = 64 * 1024 * 1024;
/** Bounds of the structure of a target's messages: most of their size is in strings. */
export const FRAME_BOUNDS = { depth: 16, marks: 1_000_000 };

/**
 * Bytes of an agent's frame, by its type; {@linkcode mostFrameBytes} bounds those without an end here.
 */
const LENGTHS: ReadonlyMap<number, { readonly least: number; readonly most: number }> = new Map([
  [FRAME.message, { least: 0, most: Infinity }],
  [FRAME.taken, { least: 4, most: Infinity }],
  [FRAME.held, { least: 8, most: 8 }],
  [FRAME.unheld, { least: 4, most: 4 }],
  [FRAME.farewell, { least: 0, most: 0 }],
  [FRAME.expired, { least: 0, most: 0 }],
  [FRAME.source, { least: 4, most: Infinity }],
  [FRAME.traced, { least: 4, most: Infinity }],
  [FRAME.scripts, { least: 4, most: Infinity }],
  [FRAME.loaded, { least: 4, most: Infinity }],
  [FRAME.edited, { least: 0, most: Infinity }],
]);

/**
 * Bytes of the longest frame of a type that a target may send.
 *
 * @param collectTimeout ms for the target to answer.
 */
export function mostFrameBytes(type: number, collectTimeout: number): number {
  if (type !== FRAME.taken) return MOST_BYTES.get(type) ?? MOST_OTHER_BYTES;
  const readInTime = collectTimeout * TAKEN_BYTES_PER_MS;
  return Math.min(Math.max(readInTime, LEAST_TAKEN_BYTES), MOST_TAKEN_BYTES);
}

/** Whether an agent sends frames of a type at all, and with so many bytes. */
export function hasKnownLength(type: number, bytes: number): boolean {
  const length = LENGTHS.get(type);
  return length !== undefined && bytes >= length.least && bytes <= length.most;
}

/**
 * The JSON of a frame.
 *
 * @throws when it is none, or has another shape, or too much structure.
 */
export function parseFrame<S extends v.GenericSchema>(
  body: Uint8Array,
  schema: S,
): v.InferOutput<S> {
  return check(schema, parseFlatJson(body, FRAME_BOUNDS));
}
