/** Hints find what services compare with, and mutation without them does not. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileFile, execute, Scene } from "./harness.ts";

const hints = suite("e2e/hints");

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Riddles of `riddles.cjs`, and requests that hints may take. */
const RIDDLES: Record<string, number> = {
  png: 600,
  pngToTheEnd: 600,
  equal: 600,
  cases: 600,
  startsWith: 600,
  magic: 600,
  length: 600,
  word: 600,
  characters: 600,
  digits: 600,
};

for (const [riddle, most] of Object.entries(RIDDLES)) {
  hints(`${riddle} is found within ${most} requests by hints, and not without them`, async () => {
    await using scene = new Scene();
    await scene.serve("--collector", "trace");
    const { socket } = await scene.service("riddles", { env: { RIDDLE: riddle } });
    const client = compileFile(
      join(ROOT, "test/e2e/clients/hint_fuzz.c"),
      join(ROOT, "bridges/hints.c"),
    );
    const fuzz = [client, scene.kcov, socket, `${most}`, "2"];
    const { stdout, stderr } = await execute(fuzz);
    assert.is(stderr, "");
    assert.match(stdout, /^\d+ requests$/m);
    if (process.env["HINTS_SHOW"]) process.stdout.write(`${riddle} ${stdout}`);
    const blind = await execute([...fuzz, "blind"]);
    assert.match(blind.stderr, /^not found in/);
  });
}

hints.run();
