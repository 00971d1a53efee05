/** Mounts and unmounts with the mount(8) and umount(8) of util-linux: no native code. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { opendir, realpath, stat, statfs } from "node:fs/promises";
import * as path from "node:path";
import { readMountTable } from "./mount_table.ts";
import { UserError } from "../base/user_error.ts";

/** Why a mount cannot be made or undone; the message is one line for the user. */
export class MountError extends UserError {
  override name = "MountError";
}

export interface MountOptions {
  /** The part after `fuse.` in the mount table. */
  readonly subtype: string;
  /**
   * A file by which the kernel names the mount namespace to mount in, such as `/proc/1/ns/mnt`. This process
   * must see that namespace's mounts, too. @default {this process's own}
   */
  readonly namespace?: string | undefined;
  /**
   * Refuses a directory that has something in it, as the mount would hide that. The directory of the kernel's
   * debugfs is taken all the same: programs look for kcov there.
   */
  readonly isEmpty?: boolean | undefined;
}

const DEVICE = "/dev/fuse";
/** ms for a mount that may be dead or hung to answer. */
const PROBE_TIMEOUT = 2000;

/** Opens `/dev/fuse`. */
export async function openFuseDevice(): Promise<number> {
  try {
    // A FileHandle would close itself when collected, but the descriptor belongs to the channel.
    return await new Promise((resolve, reject) =>
      fs.open(DEVICE, "r+", (error, fd) => error ? reject(error) : resolve(fd))
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENODEV" || code === "ENXIO") {
      throw new MountError(`Cannot open ${DEVICE}: there is none; run 'modprobe fuse'`);
    }
    if (code === "EACCES" || code === "EPERM") {
      throw new MountError(`Cannot open ${DEVICE}: permission denied; run as root`);
    }
    throw new MountError(`Cannot open ${DEVICE}: ${(error as Error).message}`);
  }
}

/**
 * The arguments of mount(8) that mount the connection; the command has its descriptor as number 3.
 * Any user may use the mount, as far as the files' modes allow.
 */
export function mountArguments(directory: string, options: MountOptions): string[] {
  const rest = "rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
  return [
    ...["-i", "-t", `fuse.${options.subtype}`],
    ...["-o", `nosuid,nodev,noexec,fd=3,${rest}`, options.subtype, directory],
  ];
}

/**
 * Mounts on `directory` and returns the connection's descriptor. Nothing has been answered on it yet: INIT
 * is the first message to be read from it. A dead mount of the same subtype that is in the way is
 * cleared first. If mounting fails, nothing is left behind.
 *
 * @throws {MountError}
 */
export async function mountFuse(directory: string, options: MountOptions): Promise<number> {
  checkRoot(directory);
  const target = await prepareMountPoint(directory, options);
  const fd = await openFuseDevice();
  const command = within(options.namespace, ["mount", ...mountArguments(target, options)]);
  const { status, stderr } = await run(command, fd);
  const reason = status !== 0
    ? oneLine(stderr) || "mount failed"
    : options.namespace && !await isMounted(target, options)
    ? `what is mounted in ${options.namespace} is not seen here; run 'mount --make-rshared /' there`
    : undefined;
  if (!reason) return fd;
  // First, because otherwise anything that looks at the mount would wait for an answer.
  fs.closeSync(fd);
  if (status === 0) await unmountFuse(target, options);
  throw new MountError(`Cannot mount on ${directory}: ${reason}`);
}

/** @throws {MountError} if this process may not mount. */
export function checkRoot(directory: string): void {
  if (process.getuid?.() === 0) return;
  throw new MountError(`Cannot mount on ${directory}: not root; run with sudo`);
}

/** Resolves the mount point, after checking that it can be one. */
async function prepareMountPoint(directory: string, options: MountOptions): Promise<string> {
  const failure = await probe(directory);
  if (failure === "ENOENT") {
    throw new MountError(
      `Cannot mount on ${directory}: no such directory; run 'mkdir -p ${directory}'`,
    );
  }
  if (failure === "ENOTCONN" || failure === "ECONNABORTED") {
    if (await isMounted(directory, options)) await unmountFuse(directory, options);
  } else if (failure === "ENOTDIR") {
    throw new MountError(`Cannot mount on ${directory}: not a directory`);
  } else if (failure) {
    throw new MountError(`Cannot mount on ${directory}: ${failure}`);
  }
  if (await isMounted(directory, options)) {
    throw new MountError(
      `Cannot mount on ${directory}: ${options.subtype} is mounted there already; ` +
        `run '${options.subtype} unmount ${directory}'`,
    );
  }
  if (options.isEmpty) await checkEmpty(directory);
  return await realpath(directory);
}

/** `DEBUGFS_MAGIC` of `include/uapi/linux/magic.h`. */
const DEBUGFS_MAGIC = 0x64626720;

async function checkEmpty(directory: string): Promise<void> {
  if ((await statfs(directory)).type === DEBUGFS_MAGIC) return;
  const folder = await opendir(directory);
  try {
    const entry = await folder.read();
    if (!entry) return;
    throw new MountError(
      `Cannot mount on ${directory}: it is not empty (${entry.name}), and the mount would hide that; ` +
        "take an empty directory, or say --over",
    );
  } finally {
    await folder.close();
  }
}

/** Undefined if `directory` is a directory that answers, else an errno's name or a reason. */
async function probe(directory: string): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PROBE_TIMEOUT, "a mount there does not answer; unmount it first");
  });
  // The kernel remembers the attributes of a dead mount's root, but not its free space: so this asks for
  // that.
  const answer = statfs(directory).then(() => stat(directory)).then(
    (stats) => stats.isDirectory() ? undefined : "ENOTDIR",
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
  try {
    return await Promise.race([answer, hung]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a filesystem of this subtype is mounted there; even the name of a dead one may be unreadable. */
export async function isMounted(directory: string, options: MountOptions): Promise<boolean> {
  const resolved = await realpath(directory).catch(() => path.resolve(directory));
  const type = `fuse.${options.subtype}`;
  return (await readMountTable()).some((m) => m.mountPoint === resolved && m.type === type);
}

/**
 * Unmounts, and aborts the connection: clients' requests fail. A mount that is busy goes when its last user
 * lets go of it. So this also ends a mount whose server is dead. It also ends one of which another mount
 * namespace has a copy, which would keep the connection.
 *
 * @returns whether it was busy.
 * @throws {MountError}
 */
export async function unmountFuse(
  directory: string,
  options: Pick<MountOptions, "namespace"> = {},
): Promise<{ busy: boolean }> {
  const unmount = (...flags: string[]) =>
    run(within(options.namespace, ["umount", "-i", ...flags, directory]));
  const first = await unmount("-f");
  if (first.status === 0) return { busy: false };
  const second = await unmount("-f", "-l");
  if (second.status === 0) return { busy: true };
  throw new MountError(`Cannot unmount ${directory}: ${oneLine(second.stderr) || "umount failed"}`);
}

/** The command that executes another in a mount namespace. */
export function within(namespace: string | undefined, command: readonly string[]): string[] {
  return namespace ? ["nsenter", `--mount=${namespace}`, "--", ...command] : [...command];
}

function oneLine(text: string): string {
  return text.trim().split("\n")[0].replace(/^(?:u?mount|nsenter): /, "");
}

async function run(
  [command, ...args]: readonly string[],
  fd?: number,
): Promise<{ status: number | null; stderr: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe", fd ?? "ignore"] });
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (chunk) => stderr += chunk);
  return await new Promise((resolve, reject) => {
    child.on(
      "error",
      (error) =>
        reject(new MountError(`Cannot run ${command}: ${error.message}; install util-linux`)),
    );
    child.on("close", (status) => resolve({ status, stderr }));
  });
}
