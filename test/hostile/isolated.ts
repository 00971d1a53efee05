/**
 * Runs a test file in namespaces of its own: its mounts, and the processes that it starts, stops or forgets,
 * end with it, and whatever hangs in it can be killed from outside.
 */
import { spawnSync } from "node:child_process";

const INSIDE = "KCOVFS_HOSTILE_INSIDE";
const FLAGS = [
  "--mount",
  "--pid",
  "--net",
  "--fork",
  "--kill-child",
  "--mount-proc",
];
const SET_UP = `mount -t tmpfs tmpfs /run &&
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
  mount -t fusectl fusectl /sys/fs/fuse/connections &&
  ip link set lo up || exit
"$@"
exit $?`;

// The shell stays: it is the first process there, which must wait for orphans.
/**
 * Starts this process's program anew in namespaces of its own, and ends as that does. Within, it returns.
 * `/run` and `/dev/shm` are empty there, and fusectl is mounted.
 */
export function isolate(): void {
  if (process.env[INSIDE]) return;
  const program = [process.execPath, ...process.argv.slice(1)];
  const { status, signal, error } = spawnSync(
    "setpriv",
    [
      "--pdeathsig",
      "KILL",
      "unshare",
      ...FLAGS,
      "--propagation",
      "private",
      "sh",
      "-c",
      SET_UP,
      "isolated",
      ...program,
    ],
    { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } },
  );
  if (error) {
    throw new Error(`Cannot run setpriv: ${error.message}; install util-linux`);
  }
  if (signal) process.kill(process.pid, signal);
  process.exit(status ?? 1);
}
