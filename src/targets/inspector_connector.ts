import { basename } from "node:path";
import { type ConnectOptions, globsOf, type TargetHost } from "./connector.ts";
import type { Endpoint, Inspectable } from "./endpoint.ts";
import { connectInspector } from "./inspector_link.ts";
import type { Target } from "./target.ts";

/** Makes targets of the isolates of a Deno or a Node, by their inspector alone. */
export async function connectInspectors(
  endpoint: Endpoint,
  host: TargetHost,
  options: ConnectOptions,
): Promise<Target[]> {
  const { path } = options;
  const wanted = endpoint.inspectables.filter(({ webSocketUrl }) =>
    path === undefined || new URL(webSocketUrl).pathname === path
  );
  if (wanted.length === 0) throw new Error(`${endpoint.runtime} has nothing to inspect there`);
  const outcomes = await Promise.allSettled(
    wanted.map((inspectable) => connectOne(inspectable, { endpoint, host, options })),
  );
  const targets = outcomes.flatMap((outcome) =>
    outcome.status === "fulfilled" ? [outcome.value] : []
  );
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    if (targets.length === 0) throw outcome.reason;
    host.warn((outcome.reason as Error).message);
  }
  return targets;
}

async function connectOne(
  inspectable: Inspectable,
  { endpoint, host, options }: { endpoint: Endpoint; host: TargetHost; options: ConnectOptions },
): Promise<Target> {
  const name = options.name ?? scriptName(inspectable.url);
  const link = await connectInspector(inspectable.webSocketUrl, {
    runtime: endpoint.runtime,
    timeout: host.collectTimeout,
    isStarting: options.isStarting ?? false,
    onFarewell: (link, coverage) => host.farewell(link, coverage),
    onBroken: () =>
      host.warn(
        `Target ${name}: another debugger let it go while it was held; a read may be stale`,
      ),
  });
  const { pid = 0 } = options;
  const target = await host.add(link, {
    name,
    pid,
    runtime: endpoint.runtime,
    ...globsOf(options),
  });
  link.letStart();
  if (target.hold === "unheld") {
    host.warn(`Target ${target.info.name}: cannot be held, so reads are best effort`);
  }
  return target;
}

/** What a program's main script is called, by its URL. */
function scriptName(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return basename(path).replace(/\.[cm]?[jt]sx?$/, "");
}
