import { classNames } from "./describe_error.ts";

const PATTERN = /^\/(.*)\/([a-z]*)$/s;

/**
 * Makes the function that says whether a thrown value is normal.
 *
 * @param expect Names of classes, which stand for what extends them, too; and patterns of messages in
 * slashes. `Error` stands for nothing but itself, or it would stand for all there are.
 */
export function makeIsExpected(expect: readonly string[]): (thrown: unknown) => boolean {
  const patterns = expect.flatMap((text) => {
    const [, source, flags] = PATTERN.exec(text) ?? [];
    return source === undefined ? [] : [new RegExp(source, flags.replace(/[gy]/g, ""))];
  });
  const names = new Set(expect.filter((text) => !PATTERN.test(text)));
  return (thrown) => {
    if (names.size > 0 && isNamed(thrown, names)) return true;
    return patterns.length > 0 && patterns.some((pattern) => pattern.test(messageOf(thrown)));
  };
}

function isNamed(thrown: unknown, names: ReadonlySet<string>): boolean {
  const classes = classNames(thrown);
  const isPlain = classes.filter((name) => name !== "Object").every((name) => name === "Error");
  return classes.some((name) => names.has(name) && (name !== "Error" || isPlain));
}

function messageOf(thrown: unknown): string {
  try {
    return String((thrown as { message?: unknown })?.message ?? thrown);
  } catch {
    return "";
  }
}
