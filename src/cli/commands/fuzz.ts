import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import type { Argv } from "yargs";
import type { CollectorName } from "../../agent/protocol.ts";
import { checkRoot, mountArguments, openFuseDevice } from "../../fuse/mod.ts";
import { Server, SUBTYPE } from "../../server.ts";
import { startSelfCoverage } from "../../targets/self_link.ts";
import { start, waitFor } from "../child.ts";
import { type Command, commandAfterDashes } from "../command.ts";
import { Failure } from "../failure.ts";
import { type ServerArguments, serverOptions, withServer } from "../options.ts";
import { targetEnvironment } from "../target_environment.ts";

const BIN = fileURLToPath(new URL("../../../../bin", import.meta.url));
/** Where Linux has kcov, and where fuzzers look for it. */
const MOUNT_POINT = "/sys/kernel/debug";

/**
 * What the shell does in the mount namespace: makes the mount point where a container has none, mounts
 * (the connection is descriptor 3), says so on descriptor 4, and becomes the command.
 */
const SCRIPT = `
[ -d ${MOUNT_POINT} ] || { mount -t tmpfs tmpfs /sys/kernel && mkdir ${MOUNT_POINT}; } || exit 125
mount ${mountArguments(MOUNT_POINT, { subtype: SUBTYPE }).join(" ")} </dev/null || exit 125
echo mounted >&4
exec "$@" 3>&- 4>&-
`;

/** `kcovfs fuzz` */
export const fuzz: Command = {
  command: "fuzz",
  describe: "run a fuzzer with kcov at /sys/kernel/debug/kcov and the Node it starts as targets",
  usage: "kcovfs fuzz [options] -- CMD...",
  builder: (argv: Argv) =>
    withServer(argv).example(
      "kcovfs fuzz -- ./fuzzer node server.js",
      "what ./fuzzer starts with Node is what it reads the coverage of",
    ),
  async run(argv, io) {
    const options = argv as unknown as ServerArguments;
    const command = commandAfterDashes(argv);
    checkRoot(MOUNT_POINT);
    const self = options.self ? io.self ?? startSelfCoverage() : undefined;
    const fd = await openFuseDevice();
    const server = await Server.start(
      serverOptions(options, { warn: io.warn, ...(self && { self }) }),
    );
    try {
      return await runInNamespace(server, { fd, command, collector: options.collector });
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
};

/** Nobody but the command and its children sees the mount, and it goes with the last of them. */
async function runInNamespace(
  server: Server,
  options: { fd: number; command: readonly string[]; collector: CollectorName },
): Promise<number> {
  const { collector } = options;
  const environment = targetEnvironment(server.socket, { collector });
  const env = {
    ...environment,
    KCOVFS_MOUNT: MOUNT_POINT,
    // So that a fuzzer finds `kcovfs symbolize`, wherever this was started from.
    PATH: `${environment["PATH"]}:${BIN}`,
  };
  const child = await start(
    ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "kcovfs"]
      .concat(options.command),
    { env, stdio: ["inherit", "inherit", "inherit", options.fd, "pipe"] },
  );
  const ended = waitFor(child);
  const mounted = await Promise.race([
    new Promise<boolean>((resolve) => child.stdio[4]!.once("data", () => resolve(true))),
    ended.then(() => false),
  ]);
  if (!mounted) {
    fs.closeSync(options.fd);
    throw new Failure(`Cannot mount on ${MOUNT_POINT} in a mount namespace of its own`);
  }
  const root = `/proc/${child.pid}/root${MOUNT_POINT}`;
  server.serve(options.fd, { root }).catch(() => {});
  return await ended;
}
