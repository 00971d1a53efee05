import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { checkRoot, mountArguments, openFuseDevice, parseMountTable } from "../fuse/mod.ts";
import { Server, SUBTYPE } from "../server/server.ts";
import { startSelfCoverage } from "../targets/self_link.ts";
import { Interruption, start, waitFor } from "./child.ts";
import type { Io } from "./command.ts";
import { endNamespace } from "./end_namespace.ts";
import { describeEnded } from "./ended_text.ts";
import { type ServerArguments, serverOptions } from "./options.ts";
import { describeWay } from "./describe_way.ts";
import { targetEnvironment } from "./target_environment.ts";
import type { Reporter } from "../base/reporter.ts";
import { UserError } from "../base/user_error.ts";

const BIN = fileURLToPath(new URL("../../../bin", import.meta.url));
/** Linux has kcov here, and fuzzers look for it here. */
const MOUNT_POINT = "/sys/kernel/debug";

const NO_TARGET =
  "no process became a target: none does that ran before, or has no NODE_OPTIONS of ours";

/** ms that processes which the command has left have to end by themselves after SIGTERM. */
const GRACE = 2500;
/** ms in which a connection ends by itself once nobody has it mounted. */
const CONNECTION_GRACE = 200;

/**
 * The shell's part in the mount namespace. It makes the mount point where a container has none, and mounts
 * there: the connection is descriptor 3. It writes the namespace and its mounts to descriptor 4, waits on
 * descriptor 5 until the connection is served, and becomes the command.
 */
const SCRIPT = `
[ -d ${MOUNT_POINT} ] || { mount -t tmpfs tmpfs /sys/kernel && mkdir ${MOUNT_POINT}; } || exit 125
mount ${mountArguments(MOUNT_POINT, { subtype: SUBTYPE }).join(" ")} </dev/null || exit 125
{ readlink /proc/self/ns/mnt && cat /proc/self/mountinfo; } >&4 || exit 125
exec 4>&-
read go <&5 || exit 125
exec "$@" 3>&- 5<&-
`;

/** Aborts a connection, as the watchdog does: see `watchdog/main.ts`. */
const ABORT = `
cd /sys/fs/fuse/connections && { [ -e "$1" ] || mount -t fusectl fusectl "$PWD"; } &&
cd "$PWD" && echo 1 > "$1/abort"
`;

/** How a command is run. */
export interface SessionOptions {
  readonly options: ServerArguments & { readonly "keep-running"?: boolean };
  readonly io: Io;
  /** More of its environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Is given the server before the command starts. */
  readonly onServer?: (server: Server) => void;
}

/** Throws where {@linkcode runWithKcov} could not. */
export function checkForKcov(): void {
  checkRoot(MOUNT_POINT);
}

/**
 * Runs a command with kcov at /sys/kernel/debug/kcov, in a mount namespace of its own, and what it starts
 * with Node as targets.
 *
 * @returns the command's status.
 */
export async function runWithKcov(
  command: readonly string[],
  { options, io, env = {}, onServer }: SessionOptions,
): Promise<number> {
  const self = options.self ? io.self ?? startSelfCoverage() : undefined;
  const fd = await openFuseDevice();
  const server = await Server.start(
    serverOptions(options, { reporter: io, ...(self && { self }) }),
  );
  onServer?.(server);
  // Until the end: a signal during the clean-up must not cut that short.
  using interruption = new Interruption();
  try {
    return await runInNamespace(server, { fd, command, options, io, env, interruption });
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

/** Only the command and its children see the mount. It goes with the last of them. */
async function runInNamespace(
  server: Server,
  { fd, command, options, io, env: more, interruption }: {
    fd: number;
    command: readonly string[];
    options: SessionOptions["options"];
    io: Io;
    env: NodeJS.ProcessEnv;
    interruption: Interruption;
  },
): Promise<number> {
  const environment = targetEnvironment(server.socket, { collector: server.collector });
  const env = {
    ...environment,
    ...more,
    KCOVFS_MOUNT: MOUNT_POINT,
    // Fuzzers must find `kcovfs symbolize`, wherever this program was started from.
    PATH: `${environment["PATH"]}:${BIN}`,
  };
  const child = await start(
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "kcovfs"]
      .concat(command),
    { env, stdio: ["inherit", "inherit", "inherit", fd, "pipe", "pipe"] },
  );
  const ended = waitFor(child, interruption);
  const [, , , , facts, go] = child.stdio as unknown as readonly [
    null,
    null,
    null,
    null,
    Readable,
    Writable,
  ];
  go.on("error", () => {});
  const [namespace, ...mounts] = (await text(facts)).split("\n");
  const mount = parseMountTable(mounts.join("\n"))
    .findLast(({ mountPoint }) => mountPoint === MOUNT_POINT);
  if (!mount) {
    fs.closeSync(fd);
    throw new UserError(`Cannot mount on ${MOUNT_POINT} in a mount namespace of its own`);
  }
  const root = `/proc/${child.pid}/root${MOUNT_POINT}`;
  const onReady = async () => {
    io.warn(describeWay(await server.facts));
    go.end("go\n");
  };
  const served = server.serve(fd, { root, onReady }).catch(() => {});
  const status = await ended;
  if (options["keep-running"]) await Promise.race([served, interruption.received]);
  if (!server.hasHadTargets) io.warn(NO_TARGET);
  const { signal: hurry } = interruption;
  await endLeft(server, { namespace, hurry, reporter: io });
  await endConnection(mount.minor, served);
  return status;
}

/** Ends the targets and all other processes that the command has left in its namespace. */
async function endLeft(
  server: Server,
  { namespace, hurry, reporter }: {
    namespace: string;
    hurry: AbortSignal;
    reporter: Reporter;
  },
): Promise<void> {
  const targets = server.targets;
  const ended = await endNamespace(namespace, { grace: GRACE, hurry });
  const line = describeEnded(ended, targets);
  if (line) reporter.warn(line);
}

/**
 * Waits until the connection has ended, and aborts it if a process in another namespace keeps it by a copy of
 * the mount. This process could not end before: a thread of its own reads from the connection.
 */
async function endConnection(connection: number, served: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isEnded = await Promise.race([
    served.then(() => true),
    new Promise<boolean>((resolve) => timer = setTimeout(resolve, CONNECTION_GRACE, false)),
  ]);
  clearTimeout(timer);
  if (isEnded) return;
  const abort = ["sh", "-c", ABORT, "kcovfs", String(connection)];
  spawnSync("unshare", ["--mount", "--propagation", "private", ...abort]);
  await served;
}
