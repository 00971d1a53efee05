/**
 * `kcovfs/register`: `node --import` or `--require` loads it to make a process a target that `kcovfs run` has
 * not started. See `enter_isolate.cts` for how it finds its server.
 */
try {
  require("./preload.cjs");
} catch (error) {
  // Node's permission model allows this file only.
  const { message } = error as Error;
  process.stderr.write(`kcovfs: Cannot read the agent: ${message}: running without coverage\n`);
}
