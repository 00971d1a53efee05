import createDebug from "debug";

/** Takes lines that only a developer asks for. */
export interface Log {
  readonly enabled: boolean;
  (line: string): void;
}

/** A log of the namespace `kcovfs:NAME`, on when the `DEBUG` environment variable says so. */
export function logger(name: string): Log {
  const debug = createDebug(`kcovfs:${name}`);
  const log = (line: string) => debug("%s", line);
  return Object.defineProperty(log, "enabled", { get: () => debug.enabled }) as unknown as Log;
}
