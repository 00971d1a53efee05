/** Examines the kernel, the user's rights and the programs that kcovfs depends on. */
import { accessSync, closeSync, constants, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { release, type as systemType } from "node:os";
import { join } from "node:path";
import { openFuseDevice } from "../fuse/mod.ts";
import type { Finding } from "./finding.ts";

/** The oldest Linux whose FUSE protocol kcovfs speaks; see `FUSE_OLDEST_MINOR_VERSION`. */
const OLDEST_KERNEL = [5, 4];
/** The first Linux with FUSE passthrough. */
const PASSTHROUGH_KERNEL = [6, 9];
/** As in `package.json`. */
const OLDEST_NODE = [20, 19];
const CAP_SYS_ADMIN = 21n;
/** Bytes of shared memory; with less, large areas with `--collector trace` may find none. */
const SHARED_MEMORY = 256 * 2 ** 20;

/** Examines all of it; this takes some ms. */
export async function examineMachine(): Promise<Finding[]> {
  return [
    examineKernel(systemType(), release()),
    await examineDevice(),
    examinePrivileges(readFileSync("/proc/self/status", "utf8")),
    examinePrograms(),
    examineRuntime(process.versions as NodeJS.ProcessVersions & { deno?: string }),
    examineKoffi(),
    await examineSharedMemory(),
    examineCompiler(),
    examineFuzzers(),
  ];
}

/** @param version As `uname -r` prints it. */
export function examineKernel(system: string, version: string): Finding {
  const name = "kernel";
  const detail = `${system} ${version}`;
  if (system !== "Linux" || !isAtLeast(version, OLDEST_KERNEL)) {
    return fault(name, `${detail}: too old, or no Linux`, "use Linux 5.4 or newer");
  }
  if (isAtLeast(version, PASSTHROUGH_KERNEL)) return ok(name, detail);
  const lack = `${detail}: no FUSE passthrough, so reads of --collector trace take longer`;
  return { name, verdict: "advice", detail: lack, remedy: "use Linux 6.9 or newer" };
}

/** It is no fault that only root may open the device, as udev sets it: only root mounts. */
async function examineDevice(): Promise<Finding> {
  const name = "/dev/fuse";
  try {
    closeSync(await openFuseDevice());
    return ok(name, "can be opened");
  } catch (error) {
    const reason = (error as Error).message.replace(/^Cannot open \S+: |;.*$/g, "");
    const isDenied = /denied/.test(reason);
    if (isDenied && process.geteuid?.() !== 0) return ok(name, "is there; only root may open it");
    const remedy = "in a container: start it with --privileged, or with --device /dev/fuse";
    return fault(name, reason, isDenied ? remedy : `modprobe fuse; ${remedy}`);
  }
}

/** @param status The text of `/proc/self/status`. */
export function examinePrivileges(status: string): Finding {
  const name = "privileges";
  const uid = status.match(/^Uid:\s*\d+\s+(\d+)/m)?.[1];
  if (uid !== "0") return fault(name, `user ${uid} may not mount`, "sudo kcovfs doctor");
  const capabilities = BigInt(`0x${status.match(/^CapEff:\s*(\S+)/m)?.[1] ?? "0"}`);
  if ((capabilities >> CAP_SYS_ADMIN & 1n) === 1n) return ok(name, "root, may mount");
  return fault(name, "root without CAP_SYS_ADMIN", "start the container with --privileged");
}

/** Looks for the programs that mount. */
function examinePrograms(): Finding {
  const name = "programs";
  const lacking = ["mount", "umount", "unshare", "nsenter"].filter((one) => !isInPath(one));
  if (lacking.length === 0) return ok(name, "mount, umount, unshare, nsenter");
  return fault(name, `no ${lacking.join(", ")} in PATH`, "apt-get install mount util-linux");
}

/** @param versions `process.versions`. */
export function examineRuntime(versions: { node: string; v8: string; deno?: string }): Finding {
  const { node, v8, deno } = versions;
  if (deno) return ok("Deno", `${deno}, V8 ${v8}`);
  const detail = `${node}, V8 ${v8}`;
  if (isAtLeast(node, OLDEST_NODE)) return ok("Node", detail);
  return fault("Node", `${detail}: too old`, "install Node 20.19 or newer: https://nodejs.org");
}

/** koffi is native code, which comes built in a package of its own for each kind of machine. */
function examineKoffi(): Finding {
  const name = "system calls";
  try {
    const { version } = createRequire(import.meta.url)("koffi") as { version: string };
    return ok(name, `koffi ${version}`);
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    return fault(
      name,
      `koffi cannot be loaded: ${reason}`,
      "npm install --include=optional kcovfs",
    );
  }
}

async function examineSharedMemory(): Promise<Finding> {
  const name = "/dev/shm";
  const stats = await statfs(name).catch(() => undefined);
  if (!stats) {
    return advice(name, "there is none: no --collector trace", `mount -t tmpfs tmpfs ${name}`);
  }
  const free = stats.bavail * stats.bsize;
  const detail = `${Math.floor(free / 2 ** 20)} MiB free`;
  if (free >= SHARED_MEMORY) return ok(name, detail);
  return advice(
    name,
    `${detail}: little for the areas of --collector trace`,
    `mount -o remount,size=1g ${name}; in a container: start it with --shm-size=1g`,
  );
}

function examineCompiler(): Finding {
  const name = "compiler";
  if (isInPath("cc")) return ok(name, "cc, for the clients in examples/");
  return advice(
    name,
    "no cc in PATH: the clients in examples/ cannot be compiled",
    "apt-get install gcc libc6-dev",
  );
}

/** Looks for the fuzzers that kcovfs starts itself. */
function examineFuzzers(): Finding {
  const name = "fuzzers";
  const lacking = [
    ["clang", "libfuzzer", "clang libclang-rt-dev"],
    ["afl-fuzz", "afl", "afl++"],
  ].filter(([program]) => !isInPath(program));
  if (lacking.length === 0) return ok(name, "clang for kcovfs libfuzzer, afl-fuzz for kcovfs afl");
  const what = lacking.map(([program, command]) => `no ${program}: no kcovfs ${command}`);
  const packages = lacking.map(([, , names]) => names).join(" ");
  return advice(name, what.join("; "), `apt-get install ${packages}`);
}

/** Compares the first two numbers of a version. */
function isAtLeast(version: string, [major, minor]: readonly number[]): boolean {
  const [a, b] = version.split(".").map((part) => parseInt(part, 10));
  return a > major || a === major && b >= minor;
}

function isInPath(program: string): boolean {
  return (process.env["PATH"] ?? "/usr/bin:/bin").split(":").some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function ok(name: string, detail: string): Finding {
  return { name, verdict: "ok", detail };
}

function fault(name: string, detail: string, remedy: string): Finding {
  return { name, verdict: "fault", detail, remedy };
}

function advice(name: string, detail: string, remedy: string): Finding {
  return { name, verdict: "advice", detail, remedy };
}
