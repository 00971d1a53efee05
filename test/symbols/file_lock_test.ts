import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFileLock } from "../../src/symbols/file_lock.ts";

const lock = suite("symbols/file_lock");

const MODULE = new URL("../../src/symbols/file_lock.js", import.meta.url).href;

let file = "";
let fd = -1;
lock.before.each(() => {
  file = path.join(fs.mkdtempSync(path.join(tmpdir(), "kcovfs-lock-")), "file");
  fd = fs.openSync(file, "a+");
});
lock.after.each(() => {
  fs.closeSync(fd);
  fs.rmSync(path.dirname(file), { recursive: true });
});

/** A program that works under the lock of a file. */
const program = (work: string) =>
  `import { withFileLock } from ${JSON.stringify(MODULE)};
   import * as fs from "node:fs";
   const [file] = process.argv.slice(1);
   ${work}`;

lock("the work's result is handed on", () => {
  assert.is(withFileLock(fd, () => 7), 7);
});

lock("another process waits until the work is done", async () => {
  const work = program(
    `withFileLock(fs.openSync(file, "a+"), () => {
       fs.writeSync(1, "locked");
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
       fs.appendFileSync(file, "theirs ");
     });`,
  );
  const child = spawn(process.execPath, ["--input-type=module", "-e", work, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  await once(child.stdout, "data");
  withFileLock(fd, () => fs.appendFileSync(file, "ours"));
  assert.is(fs.readFileSync(file, "utf8"), "theirs ours");
  assert.equal((await exit)[0], 0);
});

lock("the lock is given back when the work throws", () => {
  assert.throws(() =>
    withFileLock(fd, () => {
      throw new Error("broken");
    }), /broken/);
  // It opens the file anew: were the lock still held, this would wait for ever.
  const work = program(`withFileLock(fs.openSync(file, "a+"), () => console.log("free"));`);
  const { stdout } = spawnSync(process.execPath, [
    "--input-type=module",
    "-e",
    work,
    file,
  ], { timeout: 10_000, encoding: "utf8" });
  assert.is(stdout, "free\n");
});

lock("what cannot be locked is an error, not a wait without end", () => {
  const work = program(
    `try { withFileLock(9999, () => console.log("locked")); } catch (e) { console.log(e.message); }`,
  );
  const { stdout } = spawnSync(process.execPath, [
    "--input-type=module",
    "-e",
    work,
  ], { timeout: 10_000, encoding: "utf8" });
  assert.is(stdout, "Cannot lock a file: EBADF\n");
});

lock.run();
