/** `README.md`: an Express app is fuzzed by its commands. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";
import { readSection, runCommands } from "./readme.ts";

const readme = suite("README");

/** ms; it takes some ten seconds. */
const PATIENCE = 240_000;
const INSTALL = "sh scripts/install.sh examples/express";
/** Until the first crash, and with a log instead of a screen. */
const UNATTENDED =
  "export AFL_BENCH_UNTIL_CRASH=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_FORKSRV_INIT_TMOUT=60000\n";

readme("AFL++ finds the request that the Express app fails on", async () => {
  await using scene = new Scene();
  const [fuzz, replay] = readSection("README.md", "Fuzz my Express app");
  const found = await runCommands(scene, `${INSTALL}\n${UNATTENDED}${fuzz}`, {
    timeout: PATIENCE,
  });
  assert.is(found.status, 0, found.stdout + found.stderr);
  // A reader's shell still has them.
  const known = fuzz.split("\n").filter((line) => /^(?:export|app=)/.test(line)).join("\n");
  const { stdout } = await runCommands(scene, `${known}\n${replay}`, { timeout: PATIENCE });
  assert.match(
    stdout,
    /crashes\/id:.*^HTTP\/1\.1 500 .*RangeError: Invalid array length.*^ *app\.mjs +\|/ms,
  );
});

readme.run();
