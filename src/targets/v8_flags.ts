/**
 * Whether V8 optimises, by the flags that it was started with: optimised code does not count
 * (see `agent/inside/count_everything.cts`).
 *
 * @param flags In any order, with anything between them.
 */
export function optimises(flags: string): boolean {
  if (hasFlag(flags, "jitless") || hasFlag(flags, "max-opt=[01]")) return false;
  const hasTurbofan = !["no-?opt", "no-?turbofan", "max-opt=2"].some((flag) =>
    hasFlag(flags, flag)
  );
  return hasTurbofan || !hasFlag(flags, "no-?maglev");
}

/** @param flag The pattern of a flag, without its dashes. */
export function hasFlag(flags: string, flag: string): boolean {
  return new RegExp(`(?<![\\w-])--?${flag}(?![\\w-])`).test(flags);
}
