/**
 * `kcovfs/register`: what `node --import` or `--require` loads for a process to be a target that
 * `kcovfs run` has not started. See `enter_isolate.cts` for how it finds its server.
 */
try {
  require("./preload.cjs");
} catch (error) {
  // Node's permission model lets it read no file but this.
  const { message } = error as Error;
  process.stderr.write(`kcovfs: Cannot read the agent: ${message}: running without coverage\n`);
}
