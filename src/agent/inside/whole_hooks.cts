/** How Node's own hooks are to be gone about. */
const nodeModule = require("node:module") as { registerHooks?: () => { deregister(): void } };

/** The first minor versions whose `registerHooks` is whole, by major version. */
const WHOLE: Readonly<Record<number, number>> = { 22: 23, 24: 12, 25: 2 };

/**
 * Whether `registerHooks` leaves programs as they are. Before pull request 59929 of Node a CommonJS file that
 * is imported is then run with another `require`, which finds what `import` does, and nothing that is loaded
 * so comes to `_compile`.
 */
function hasWholeHooks(): boolean {
  if ("Deno" in globalThis) return true;
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 25 || minor >= (WHOLE[major] ?? Infinity);
}

/**
 * In the thread that Node starts for hooks, what is preloaded runs, too. Before the same pull request it dies
 * of hooks that are registered there by `registerHooks`, and without us there would mostly be no such thread.
 */
function keepHooksOut(): void {
  if (nodeModule.registerHooks && !hasWholeHooks()) {
    nodeModule.registerHooks = () => ({ deregister() {} });
  }
}

const parts = { hasWholeHooks, keepHooksOut };
module.exports = parts;
export type Parts = typeof parts;
