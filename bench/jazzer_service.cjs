"use strict";

/** A service whose code Jazzer.js has instrumented, except for its own. Started like `serve.cjs`. */

const { join } = require("node:path");
const { Instrumentor, registerEsmLoaderHooks, registerInstrumentor } = require("./jazzer.cjs");

const [name, socket] = process.argv.slice(2);
const instrumentor = new Instrumentor(["*"], [join(__dirname, "node_modules")]);
registerInstrumentor(instrumentor);
registerEsmLoaderHooks(instrumentor);
instrumentor.sendHooksToLoader();
const { load, serve } = require("../test/fixtures/services/serve.cjs");

async function main() {
  const server = await serve(await load(name), socket);
  process.once("SIGTERM", () => server.close());
  process.stdout.write("ready\n");
}

main();
