/** The watchdog on a machine as systemd sets it up, and when it is killed itself. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { unmountFuse } from "../../src/fuse/mod.ts";
import { execute, Scene } from "../e2e/harness.ts";
import { until } from "../until.ts";
import { isolate } from "./isolated.ts";
import { stateOf } from "./world.ts";

isolate();

const watchdog = suite("watchdog, hostile");

const SOURCES = new URL("../../src/", import.meta.url).href;

/** A program that begins with a mount and its watchdog. It prints two numbers: see the callers. */
function program(work: string): string {
  return `
    import { spawn } from "node:child_process";
    import { mountFuse } from "${SOURCES}fuse/mod.js";
    import { Watchdog } from "${SOURCES}watchdog/mod.js";
    const [directory] = process.argv.slice(1);
    const fd = await mountFuse(directory, { subtype: "kcovfs" });
    const watchdog = Watchdog.start();
    const connection = await watchdog.watch(directory, {});
    ${work}`;
}

watchdog(
  "a connection is aborted where fusectl is mounted already",
  async () => {
    await using scene = new Scene();
    mkdirSync(scene.mount);
    // Another process keeps the descriptor, as a thread that sleeps in the kernel does.
    const { stdout, stderr } = await execute([
      ...[process.execPath, "--input-type=module", "-e"],
      program(`
      const holder = spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", fd] });
      process.stdout.write(connection + " " + holder.pid, () => process.kill(process.pid, "SIGKILL"));`),
      scene.mount,
    ]);
    const [connection, holder] = stdout.split(" ").map(Number);
    try {
      assert.ok(
        existsSync(join("/sys/fs/fuse/connections", String(connection))),
        stderr,
      );
      const answer = await stat(scene.mount).catch((
        error: NodeJS.ErrnoException,
      ) => error.code);
      assert.is(answer, "ENOTCONN");
    } finally {
      process.kill(holder, "SIGKILL");
      await unmountFuse(scene.mount);
    }
  },
);

watchdog(
  "one that is killed is replaced, and the next one knows what it knew",
  async () => {
    await using scene = new Scene();
    const folder = join(scene.folder, "shared");
    mkdirSync(scene.mount);
    mkdirSync(folder);
    const child = spawn(process.execPath, [
      ...["--input-type=module", "-e"],
      program(`
      watchdog.remove(${JSON.stringify(folder)});
      const first = watchdog.pid;
      process.kill(first, "SIGKILL");
      while (watchdog.pid === first) await new Promise((resolve) => setTimeout(resolve, 10));
      process.stdout.write(String(watchdog.pid));
      setInterval(() => {}, 1000);`),
      scene.mount,
    ], { stdio: ["ignore", "pipe", "inherit"] });
    const [text] = await once(child.stdout.setEncoding("utf8"), "data");
    const second = Number(text);
    // It gets its orders by its input, which it reads before it learns of the end.
    await until(() => stateOf(second) === "S", "the second watchdog runs");
    child.kill("SIGKILL");
    await until(() => stateOf(second) === "", "the second watchdog has cleaned up");
    assert.not(existsSync(folder));
    await unmountFuse(scene.mount);
  },
);

watchdog.run();
