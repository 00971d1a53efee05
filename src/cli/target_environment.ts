import { fileURLToPath } from "node:url";
import { type CollectorChoice, ENVIRONMENT } from "../messages/protocol.ts";
import { isDeno } from "../base/runtime.ts";

/** The folder of commands that replace the real ones. */
const SHIMS = fileURLToPath(new URL("../../../shims", import.meta.url));
export const PRELOAD = fileURLToPath(new URL("../agent/inside/preload.cjs", import.meta.url));

/** The reason that a process has reported; its children need not repeat it: see `agent/inside/preload.cts`. */
const TOLD = "KCOVFS_TOLD";

/** For Deno's V8. Optimised code does not count; see `agent/inside/count_everything.cts`. */
const COUNTING = "--max-opt=1";
/** See `agent/inside/inline_probes.cts`: Deno takes no flags later. */
const INLINING = "--max-inlined-bytecode-size-cumulative=4600";

/**
 * The environment in which Node and Deno processes become targets, and so do those that they start.
 */
export function targetEnvironment(
  socket: string,
  options: {
    name?: string | undefined;
    /** The server's collector. */
    collector?: CollectorChoice;
    /** Whether Nodes must not load the agent, since the started program may not read it. */
    isDenied?: boolean;
    /** Globs of scripts, only for these targets. */
    include?: readonly string[];
    exclude?: readonly string[];
  } = {},
): NodeJS.ProcessEnv {
  const { name, include = [], exclude = [], collector, isDenied = false } = options;
  // First, so that all other preloaded modules are measured, too.
  const load = isDenied ? undefined : `--require=${quote(PRELOAD)}`;
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    [ENVIRONMENT.socket]: socket,
    NODE_OPTIONS: [load, process.env["NODE_OPTIONS"]].filter(Boolean).join(" "),
    // Functions out of a code cache have no block counters.
    NODE_DISABLE_COMPILE_CACHE: "1",
    PATH: `${SHIMS}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
    [ENVIRONMENT.node]: process.execPath,
    [ENVIRONMENT.nodeArguments]: isDeno() ? "run -A" : "",
  };
  delete environment[ENVIRONMENT.parent];
  delete environment[TOLD];
  if (environment["NODE_OPTIONS"] === "") delete environment["NODE_OPTIONS"];
  const isProbed = collector !== undefined && collector !== "v8";
  const flags = [isProbed ? INLINING : COUNTING, environment["DENO_V8_FLAGS"]];
  // Flags of a command line follow.
  environment["DENO_V8_FLAGS"] = flags.filter(Boolean).join(",");
  set(environment, ENVIRONMENT.collector, isProbed ? "trace" : undefined);
  set(environment, ENVIRONMENT.name, name);
  set(environment, ENVIRONMENT.include, include.length > 0 ? JSON.stringify(include) : undefined);
  set(environment, ENVIRONMENT.exclude, exclude.length > 0 ? JSON.stringify(exclude) : undefined);
  return environment;
}

/** Replaces a variable: the caller's own may be about other targets. */
function set(environment: NodeJS.ProcessEnv, name: string, value: string | undefined): void {
  if (value) environment[name] = value;
  else delete environment[name];
}

/** Quotes as Node reads NODE_OPTIONS: in double quotes, with backslashes before quotes and backslashes. */
function quote(text: string): string {
  return /[\s"\\]/.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : text;
}
