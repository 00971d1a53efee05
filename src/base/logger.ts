import createDebug from "debug";
import type { Log } from "../fuse/mod.ts";

/** A log of the namespace `kcovfs:NAME`, on when the `DEBUG` environment variable says so. */
export function logger(name: string): Log {
  const debug = createDebug(`kcovfs:${name}`);
  const log = (line: string) => debug("%s", line);
  return Object.defineProperty(log, "enabled", { get: () => debug.enabled }) as unknown as Log;
}
