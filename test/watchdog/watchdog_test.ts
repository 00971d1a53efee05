import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const watchdog = suite("watchdog");

const MODULE = new URL("../../src/watchdog/mod.js", import.meta.url).href;

/** Runs a program that has a watchdog and a folder, to its end and to the end of its watchdog. */
async function run(work: string): Promise<{ folder: string; stderr: string }> {
  const folder = fs.mkdtempSync(path.join(tmpdir(), "kcovfs-watched-"));
  fs.writeFileSync(path.join(folder, "area"), "words");
  const program = `import { Watchdog } from ${JSON.stringify(MODULE)};
    const [folder] = process.argv.slice(1);
    const watchdog = Watchdog.start();
    ${work}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, folder], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  // The watchdog has inherited the pipe: it is closed when both are gone.
  await once(child, "close");
  return { folder, stderr };
}

watchdog("the folder of a process that is killed is removed, with what is in it", async () => {
  const { folder, stderr } = await run(`
    watchdog.remove(folder);
    process.kill(process.pid, "SIGKILL");`);
  assert.equal([stderr, fs.existsSync(folder)], ["", false]);
});

watchdog("the folder of a process that ends in order is its own business", async () => {
  const { folder, stderr } = await run(`
    watchdog.remove(folder);
    await watchdog[Symbol.asyncDispose]();`);
  assert.equal([stderr, fs.readdirSync(folder)], ["", ["area"]]);
  fs.rmSync(folder, { recursive: true });
});

watchdog("a folder that is to be kept is kept", async () => {
  const { folder, stderr } = await run(`
    watchdog.remove(folder);
    watchdog.keep(folder);
    process.kill(process.pid, "SIGKILL");`);
  assert.equal([stderr, fs.readdirSync(folder)], ["", ["area"]]);
  fs.rmSync(folder, { recursive: true });
});

watchdog.run();
