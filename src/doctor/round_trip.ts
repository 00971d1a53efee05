/** Tries everything together: a server, a target and a client, in a mount namespace of their own. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { checkJson, index, record } from "../base/shape.ts";
import type { CollectorName } from "../messages/protocol.ts";
import { counted } from "../report/display_text.ts";
import type { Finding } from "./finding.ts";

const BIN = fileURLToPath(new URL("../../../bin/kcovfs", import.meta.url));
const CLIENT = fileURLToPath(new URL("./client.js", import.meta.url));
/** ms that it may take; half a second is usual. */
const TIMEOUT = 30_000;

/** The target: it answers a line with a line. It is not one of our own files, which are not measured. */
const TARGET = `
function yes() { return "yes"; }
function no() { return "no"; }
process.stdin.setEncoding("utf8").on("data", (line) => {
  console.log(line.trim() === "1" ? yes() : no());
});
console.log("ready");
`;

/**
 * The client must be no target, but starts one. So it gets the environment that makes processes targets under
 * another name.
 */
const SCRIPT = 'TARGET_OPTIONS=$NODE_OPTIONS; unset NODE_OPTIONS; export TARGET_OPTIONS; exec "$@"';

/** The client's output, as JSON. */
export type RoundTripResult = v.InferOutput<typeof ROUND_TRIP_RESULT>;
const ROUND_TRIP_RESULT = record({
  /** The number of PCs of a request. */
  blocks: index,
  /** The place of the last of them. */
  position: v.string(),
  /** Whether probes write into the memory that clients map. */
  isPassthrough: v.boolean(),
});

/**
 * Makes a round trip, and cleans up after it however it ends.
 *
 * @param options `client`: the program that replaces the client. `timeout`: in ms.
 */
export async function tryRoundTrip(
  collector: CollectorName,
  options: { client?: string; timeout?: number } = {},
): Promise<Finding> {
  const { client = CLIENT, timeout = TIMEOUT } = options;
  const name = `round trip, ${collector}`;
  const remedy =
    `DEBUG=kcovfs:* kcovfs fuzz --collector ${collector} -- YOUR-FUZZER, to see where it ends`;
  const folder = await mkdtemp(join(tmpdir(), "kcovfs-doctor-"));
  try {
    const target = join(folder, "target.cjs");
    await writeFile(target, TARGET);
    const command = ["sh", "-c", SCRIPT, "sh", process.execPath, client, target];
    const state = join(folder, "state");
    const args = ["fuzz", "--state", state, "--collector", collector, "--", ...command];
    const { status, stdout, stderr } = await execute([process.execPath, BIN, ...args], timeout);
    if (status === "late") {
      return { name, verdict: "fault", detail: `no answer within ${timeout / 1000} s`, remedy };
    }
    if (status !== 0) {
      const lines = stderr.trim().split("\n");
      // The client's own words, if it has any.
      const told = lines.findLast((line) => !line.startsWith(OURS)) ??
        lines.at(-1)?.slice(OURS.length);
      const detail = told || `ends with ${status}`;
      return { name, verdict: "fault", detail, remedy };
    }
    try {
      return { name, verdict: "ok", detail: describe(checkJson(ROUND_TRIP_RESULT, stdout)) };
    } catch (error) {
      const detail = `the client's answer makes no sense: ${(error as Error).message}`;
      return { name, verdict: "fault", detail, remedy };
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const OURS = "kcovfs: ";

function describe({ blocks, position, isPassthrough }: RoundTripResult): string {
  const how = isPassthrough ? ", by passthrough" : "";
  return `${counted(blocks, "block")} of a request, the same each time, to ${
    position.replace(/^.*\//, "")
  }${how}`;
}

interface Outcome {
  readonly status: number | null | "late";
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command. If it is late, it is killed with all processes that it has started, and not waited for. */
async function execute([file, ...args]: readonly string[], timeout: number): Promise<Outcome> {
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // The server's watchdog, in a group of its own, then has the kernel release the client.
      process.kill(-child.pid!, "SIGKILL");
      resolve({ status: "late", stdout, stderr });
    }, timeout);
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout, stderr });
    });
  });
}
