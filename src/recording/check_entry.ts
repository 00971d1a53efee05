/** Whether a line of a recording is one: the file may be damaged, or another's. */
import type { Entry, Header } from "./entry.ts";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const isNumber: Check = (value) => Number.isSafeInteger(value);
const isTime: Check = (value) => typeof value === "number";
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const orNothing = (check: Check): Check => (value) => value === undefined || check(value);
const isTarget: Check = (value) =>
  hasFields(value, { name: isText, id: isNumber, isAlive: isFlag });

const HEADER: Fields = {
  ...{ mode: isNumber, uid: isNumber, gid: isNumber, mounted: isNumber, socket: isText },
  ...{ files: isTexts, passthrough: isFlag, maxWrite: isNumber, maxReadahead: isNumber },
};

/** By the key that tells what an entry is. */
const ENTRIES: Fields = {
  rx: (entry) => hasFields(entry, { t: isTime, rx: isText }),
  tx: (entry) => hasFields(entry, { t: isTime, tx: isText }),
  nt: (entry) =>
    hasFields(entry, { t: isTime, nt: isNumber, bytes: orNothing(isText) }) &&
    (isText((entry as { bytes?: unknown }).bytes) || hasFields(entry, { errno: isNumber })),
  thread: (entry) => hasFields(entry, { thread: isNumber, start: orNull(isNumber) }),
  memory: (entry) => hasFields(entry, { memory: isText, tid: isNumber, bytes: orNull(isText) }),
  targets: (entry) =>
    hasFields(entry, { targets: (list) => Array.isArray(list) && list.every(isTarget) }),
  comparable: (entry) => hasFields(entry, { comparable: isFlag }),
  written: (entry) => hasFields(entry, { written: isFlag }),
  direct: (entry) => hasFields(entry, { direct: isFlag }),
  ioctl: (entry) => hasFields(entry, { ioctl: isNumber, result: orNull(isNumber) }),
};

/** Whether the first line says all that a server is made of. */
export function isHeader(value: object): value is Header {
  return hasFields(value, HEADER);
}

/** Whether a line is an entry; one of another kind is of no concern, and is one, too. */
export function isEntry(value: object): value is Entry {
  return Object.entries(ENTRIES).every(([key, check]) =>
    !Object.hasOwn(value, key) || check(value)
  );
}

function hasFields(value: unknown, fields: Fields): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = value as Record<string, unknown>;
  return Object.entries(fields).every(([key, check]) => check(members[key]));
}
