// Runs the command line; `bin/kcovfs` has seen to it that this Node can.
const { existsSync } = require("node:fs");
const { join } = require("node:path");

async function start(args) {
  const dashes = args.indexOf("--");
  const options = dashes < 0 ? args : args.slice(0, dashes);
  // Code that is to be measured must be loaded after coverage has begun; commands refuse it to a Deno.
  const self = options.includes("--self") && !process.versions.deno
    ? (await import("../dist/src/targets/self_link.js")).startSelfCoverage()
    : undefined;
  const { main } = await import("../dist/src/cli/mod.js");
  return await main(args, { self });
}

/** In a clone, what is missing is what has not been installed or built. */
function explain(error) {
  const home = join(__dirname, "..");
  const isMissing = /^(?:ERR_)?MODULE_NOT_FOUND$/.test(error.code);
  if (!isMissing || !existsSync(join(home, "src"))) throw error;
  process.stderr.write(
    `kcovfs: Cannot start: ${home} is not built; run 'npm ci && npm run build' there\n`,
  );
  return 1;
}

// Text that was printed to a pipe may still be on its way.
start(process.argv.slice(2)).catch(explain)
  .then((status) => process.stdout.write("", () => process.exit(status)));
