/** The first minor versions whose `registerHooks` is whole, by major version. */
const WHOLE: Readonly<Record<number, number>> = { 22: 23, 24: 12, 25: 2 };

/**
 * Whether `registerHooks` leaves programs as they are. Before pull request 59929 of Node, a CommonJS file
 * that is imported then runs with another `require`, which resolves as `import` does, and nothing that it
 * loads comes to `_compile`.
 */
function hasWholeHooks(): boolean {
  if ("Deno" in globalThis) return true;
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 25 || minor >= (WHOLE[major] ?? Infinity);
}

const parts = { hasWholeHooks };
module.exports = parts;
export type Parts = typeof parts;
