/** The watchdog and mounts; `test/watchdog` has the rest. */
import { mkdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, Scene } from "./harness.ts";

const watchdog = suite("watchdog, with a mount");

const SOURCES = new URL("../../src/", import.meta.url).href;

watchdog("a server that is killed before it has answered anything leaves no mount", async () => {
  await using scene = new Scene();
  mkdirSync(scene.mount);
  const program = `
    import { mountFuse } from "${SOURCES}fuse/mod.js";
    import { Watchdog } from "${SOURCES}watchdog/mod.js";
    const [directory] = process.argv.slice(1);
    await mountFuse(directory, { subtype: "kcovfs" });
    const connection = await Watchdog.start().watch(directory, { directory });
    process.stdout.write(String(connection), () => process.kill(process.pid, "SIGKILL"));`;
  // The command ends when its watchdog has ended, since that holds its stderr.
  const { signal, stdout, stderr } = await execute(
    [process.execPath, "--input-type=module", "-e", program, scene.mount],
    { timeout: 10_000 },
  );
  assert.equal([signal, stderr], ["SIGKILL", ""]);
  assert.match(stdout, /^\d+$/);
  assert.not(await scene.isMounted());
});

watchdog.run();
