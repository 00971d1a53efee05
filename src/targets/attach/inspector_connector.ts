import { basename } from "node:path";
import type { ProcessReader } from "../../base/process_reader.ts";
import { type ConnectOptions, globsOf, type TargetHost } from "./connector.ts";
import type { Endpoint, Inspectable } from "../cdp/endpoint.ts";
import { connectInspector } from "../inspector_link.ts";
import { isLoopback } from "./loopback.ts";
import type { Target } from "../target.ts";
import { optimises } from "../v8_flags.ts";

/** Makes targets of the isolates of a Deno or a Node, only by their inspector. */
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
    host.reporter.warn((outcome.reason as Error).message);
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
    starts: options.starts ?? 0,
    onFarewell: (link, coverage) => host.farewell(link, coverage),
    onBroken: () =>
      host.reporter.warn(
        `Target ${name}: another debugger let it go while it was held; a read may be stale`,
      ),
  });
  const { pid = 0 } = options;
  const target = await host.add(link, {
    name,
    pid,
    runtime: endpoint.runtime,
    remark: await remarkOn(endpoint, { pid, processes: host.processes }),
    ...globsOf(options),
  });
  link.letStart();
  if (target.hold === "unheld") {
    host.reporter.warn(`Target ${target.info.name}: cannot be held, so reads are best effort`);
  }
  return target;
}

/** A remark on how it was started: nothing can turn a Deno's optimising compilers off later. */
async function remarkOn(
  { kind, port, address }: Endpoint,
  { pid, processes }: { pid: number; processes: ProcessReader },
): Promise<string> {
  if (kind !== "deno") return "";
  const flag = "start it with --v8-flags=--max-opt=1";
  const process = pid || (isLoopback(address) ? await processes.listenerAt(port) ?? 0 : 0);
  const started = process > 0 ? await processes.commandLineOf(process).catch(() => "") : "";
  if (started === "") return `blocks will be missing if it optimises: ${flag}`;
  const flags = started.split("\0").filter((word) => /^(?:--v8-flags|DENO_V8_FLAGS)=/.test(word));
  return optimises(flags.join()) ? `it optimises, so blocks will be missing: ${flag}` : "";
}

/** The name of a program's main script, by its URL. */
function scriptName(url: string): string {
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  return basename(path).replace(/\.[cm]?[jt]sx?$/, "");
}
