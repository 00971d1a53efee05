/**
 * The client of a round trip. It is a process of its own, since a page fault that nobody answers blocks all of
 * it. It is started with the target's file, and prints a {@linkcode RoundTripResult}. If it does not read the
 * expected PCs, it ends with status 1 and a line on stderr.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { ENVIRONMENT } from "../messages/protocol.ts";
import { askServer } from "../messages/control_client.ts";
import { KCOV_ENABLE, KCOV_INIT_TRACE, KCOV_TRACE_PC, WORD_SIZE } from "../kcov/abi.ts";
import { counted } from "../report/display_text.ts";
import { isDeno } from "../base/runtime.ts";
import { ioctlWith, mapShared } from "../base/system_calls.ts";
import type { RoundTripResult } from "./round_trip.ts";

const DEVICE = "/sys/kernel/debug/kcov";
const SYMBOLS = "/sys/kernel/debug/kcovfs/symbols";
const WORDS = 4096;

/** Opens and enables an instance, and maps its area. */
function openArea(): BigUint64Array {
  const fd = openSync(DEVICE, "r+");
  ioctlWith(fd, { request: KCOV_INIT_TRACE, argument: BigInt(WORDS) });
  const { memory } = mapShared(fd, WORDS * WORD_SIZE);
  ioctlWith(fd, { request: KCOV_ENABLE, argument: KCOV_TRACE_PC });
  return new BigUint64Array(memory);
}

/** A process that answers each line with a line. */
interface Target {
  readonly child: ChildProcessWithoutNullStreams;
  readonly line: () => Promise<string>;
}

function startTarget(file: string): Target {
  const { TARGET_OPTIONS, PATH } = process.env;
  const path = `${PATH}:${dirname(process.execPath)}`;
  const env = { ...process.env, NODE_OPTIONS: TARGET_OPTIONS, PATH: path };
  // By name, since the first `deno` in PATH is ours.
  const [command, ...args] = isDeno() ? ["deno", "run", "-A", file] : [process.execPath, file];
  const child = spawn(command, args, { env });
  child.stderr.pipe(process.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error("the target has ended");
      return value;
    },
  };
}

/** The loop of the kernel's manual, for one request. */
async function trace(
  area: BigUint64Array,
  { target, request }: { target: Target; request: string },
): Promise<Set<bigint>> {
  area[0] = 0n;
  target.child.stdin.write(`${request}\n`);
  await target.line();
  return new Set(area.slice(1, 1 + Number(area[0])));
}

/** The places of PCs, by the file in the mount. */
function positionsOf(pcs: ReadonlySet<bigint>): string[] {
  const lines = readFileSync(SYMBOLS, "utf8").split("\n");
  return lines.filter((_, i) => i % 2 === 1 && pcs.has(BigInt(lines[i - 1])));
}

/** Makes three requests. The first and the last are the same. */
async function run(file: string): Promise<RoundTripResult> {
  const area = openArea();
  const target = startTarget(file);
  try {
    await target.line();
    const one = await trace(area, { target, request: "1" });
    const two = await trace(area, { target, request: "2" });
    const again = await trace(area, { target, request: "1" });
    const isSame = one.size === again.size && [...one].every((pc) => again.has(pc));
    if (!isSame) {
      throw new Error(`the same request reads ${counted(one.size, "block")}, then ${again.size}`);
    }
    const [own] = positionsOf(new Set([...one].filter((pc) => !two.has(pc))));
    if (!own) {
      throw new Error(`two requests that differ read the same ${counted(one.size, "block")}`);
    }
    const { isPassthrough } = await askServer(process.env[ENVIRONMENT.socket]!, "server");
    return { blocks: one.size, position: own, isPassthrough };
  } finally {
    // The target ends at the end of its input.
    target.child.stdin.end();
  }
}

/** Only the process that `round_trip.ts` starts gets a file. */
if (process.argv[2]) {
  run(process.argv[2]).then(
    (result) => process.stdout.write(JSON.stringify(result)),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    },
  );
}
