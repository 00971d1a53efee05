// Has the scripts of a Deno given probes: loaded by `--preload`, see `shims/deno`.
import { createRequire } from "node:module";

const needed = ["env", "ffi", "net", "read", "sys", "write"];
const missing = needed.filter((name) => Deno.permissions.querySync({ name }).state !== "granted");
if (missing.length === 0) createRequire(import.meta.url)("../dist/src/agent/inside/preload.cjs");
else {
  const flags = missing.map((name) => `--allow-${name}`).join(" ");
  console.error(`kcovfs: probes in a Deno need ${flags}: running without coverage`);
}
//# sourceURL=node:kcovfs/preload
