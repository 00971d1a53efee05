/** The rights to a server's files do not depend on the umask that the server was started with. */
import { lstatSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "../e2e/harness.ts";
import { isolate } from "./isolated.ts";

isolate();

const umasks = suite("umask");

/** The permissions of a folder and all that is in it, by names without their random parts. */
function modes(
  folder: string,
  into: Record<string, string> = {},
  name = "",
): Record<string, string> {
  const stats = lstatSync(folder);
  into[name || "."] = (stats.mode & 0o7777).toString(8);
  if (!stats.isDirectory()) return into;
  for (const entry of readdirSync(folder)) {
    const plain = entry.replace(/^\d+-.*|^[0-9a-f]{32,}-.*/, "*").replace(
      /-[A-Za-z0-9]{6}$/,
      "-*",
    );
    modes(path.join(folder, entry), into, path.join(name, plain));
  }
  return into;
}

for (const umask of ["000", "777"]) {
  umasks(
    `with ${umask} what a server makes is as private as ever`,
    async () => {
      await using scene = new Scene();
      const record = path.join(scene.folder, "record");
      writeFileSync(record, "", { mode: 0o666 });
      const server = await scene.serveWith(
        { runtime: ["sh", "-c", `umask ${umask} && exec "$@"`, "sh"] },
        ...["--collector", "trace", "--record", record, "--mode", "660"],
      );
      await scene.service("paths", { target: "api" });
      assert.is((lstatSync("/run/kcovfs").mode & 0o777).toString(8), "755");
      const socket = readlinkSync(path.join(scene.mount, "kcovfs/socket"));
      const { ".": run, "pipe-0": pipe, socket: own } = modes(
        path.dirname(socket),
      );
      assert.equal([run, own, pipe], ["755", "660", "600"]);
      const [shared] = readdirSync("/dev/shm").filter((name) => name.startsWith("kcovfs-shared-"));
      assert.equal(modes(path.join("/dev/shm", shared)), {
        ".": "711",
        "blocks-1": "660",
      });
      assert.is((lstatSync(record).mode & 0o777).toString(8), "600");
      server.kill("SIGTERM");
      await new Promise((resolve) => server.once("exit", resolve));
      const { symbols, sources, ".": state } = modes(scene.state);
      assert.equal([state, symbols, sources], ["755", "644", "700"]);
      const files = Object.entries(modes(path.join(scene.state, "sources")));
      for (const [file, mode] of files) {
        assert.is(mode, file === "." ? "700" : "600");
      }
    },
  );
}

umasks.run();
