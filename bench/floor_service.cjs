"use strict";

/**
 * The floor of the closed loop: a service that collects in-process, with Node's own inspector session,
 * after each request and before its answer. It is started like `serve.cjs`, under the flags of a target;
 * with a third argument `plain` it has no coverage at all.
 */

const v8 = require("node:v8");
v8.setFlagsFromString("--no-opt");
v8.setFlagsFromString("--no-maglev");
const { Session } = require("node:inspector");

const [name, socket, mode] = process.argv.slice(2);
const session = new Session();
if (mode !== "plain") {
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
}
const { load, serve } = require("../test/fixtures/services/serve.cjs");

async function main() {
  const run = await load(name);
  const collecting = async (input) => {
    let status = 1;
    try {
      status = await run(input);
    } catch {
      // The input was refused.
    }
    session.post("Profiler.takePreciseCoverage", () => {});
    return status;
  };
  const server = await serve(mode === "plain" ? run : collecting, socket);
  process.once("SIGTERM", () => server.close());
  process.stdout.write("ready\n");
}

main();
