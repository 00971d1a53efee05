/** How near to a decision about the input something stands; the nearest first. */
export const NEARNESS = {
  /** An operand of a comparison, a case label, what a text is searched for. */
  compared: 0,
  /** Elements and keys of tables, and regular expressions. */
  table: 1,
  other: 2,
  /** Texts for people, and names of modules. */
  told: 3,
} as const;

export type Nearness = (typeof NEARNESS)[keyof typeof NEARNESS];

/** Bytes that a script has, and how near. */
export interface Found {
  readonly bytes: Uint8Array;
  readonly nearness: Nearness;
}

/** Bytes of an entry, at most. */
export const LONGEST = 64;
/** Fewer are found by chance. */
export const SHORTEST = 2;

const encoder = new TextEncoder();

/** @returns undefined for what is too short or too long. */
export function foundText(text: string, nearness: Nearness): Found | undefined {
  if (text.length > LONGEST) return undefined;
  return foundBytes(encoder.encode(text), nearness);
}

/** @returns undefined for what is too short or too long. */
export function foundBytes(bytes: Uint8Array, nearness: Nearness): Found | undefined {
  const { length } = bytes;
  return length < SHORTEST || length > LONGEST ? undefined : { bytes, nearness };
}
