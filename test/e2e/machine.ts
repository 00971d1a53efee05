/** A machine that systemd runs on, as far as kcovfs can tell: for `service_test.ts`. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseMountTable } from "../../src/fuse/mount_table.ts";
import { execute, type Finished, KCOVFS, type Scene } from "./harness.ts";

const SCRIPT = fileURLToPath(new URL("../../../test/e2e/machine.sh", import.meta.url));

/** The units that one with the usual dependencies pulls in, without those that would set up a machine. */
const UNITS: Readonly<Record<string, string>> = {
  "kcovfs-test.target": "[Unit]\nDefaultDependencies=no\nWants=kcovfs.service\n",
  "sysinit.target": "[Unit]\nDefaultDependencies=no\n",
  "basic.target": "[Unit]\nDefaultDependencies=no\n",
  "shutdown.target": "[Unit]\nDefaultDependencies=no\n",
};

/** A machine. */
export class Machine implements AsyncDisposable {
  readonly #outside: ChildProcess;
  readonly #cgroup: string;
  /** The process id of its systemd, as this machine has it. */
  readonly pid: number;

  private constructor(outside: ChildProcess, facts: { cgroup: string; pid: number }) {
    this.#outside = outside;
    this.#cgroup = facts.cgroup;
    this.pid = facts.pid;
  }

  /** Why no systemd can run within this machine, if so: containers often have no cgroups to give. */
  static async obstacle(): Promise<string | undefined> {
    const script =
      "[ -x /lib/systemd/systemd ] || { echo there is no /lib/systemd/systemd >&2; exit 1; }; umount --recursive --lazy /sys/fs/cgroup && " +
      'mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir "/sys/fs/cgroup/$0" && ' +
      'rmdir "/sys/fs/cgroup/$0"';
    const command = ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--uts", "--ipc"];
    const name = `kcovfs-possible-${process.pid}`;
    const { status, stderr } = await execute([...command, "sh", "-c", script, name]);
    return status === 0 ? undefined : `no systemd can run here: ${stderr.trim().split("\n")[0]}`;
  }

  /**
   * Starts a machine with kcovfs installed, and its service started.
   *
   * @param options `settings`: the text of `/etc/default/kcovfs`.
   */
  static async start(scene: Scene, { settings = "" } = {}): Promise<Machine> {
    const { folder } = scene;
    const installed = await execute([KCOVFS, "install-service", "--root", folder]);
    if (installed.status !== 0) throw new Error(installed.stderr);
    for (const name of ["units", "none", "default"]) mkdirSync(join(folder, name));
    cpSync(join(folder, "etc/systemd/system"), join(folder, "units"), { recursive: true });
    for (const [name, text] of Object.entries(UNITS)) {
      writeFileSync(join(folder, "units", name), text);
    }
    writeFileSync(join(folder, "default/kcovfs"), settings);
    const cgroup = `kcovfs-test-${process.pid}`;
    const outside = scene.start(["unshare", "--mount", "sh", SCRIPT, folder, cgroup]);
    const machine = new Machine(outside, { cgroup, pid: await childOf(outside.pid!) });
    try {
      await machine.until(() => machine.isActive());
      return machine;
    } catch {
      const { stdout } = await machine.run("systemctl", "status", "kcovfs");
      process.stderr.write(`The service does not start: ${stdout}`);
      await machine[Symbol.asyncDispose]();
      throw new Error("The service does not start");
    }
  }

  /** Runs a command on it. */
  run(...command: string[]): Promise<Finished> {
    return execute(this.command(...command));
  }

  /** The command that runs another on it. */
  command(...command: string[]): string[] {
    return ["nsenter", `--target=${this.pid}`, "--pid", "--mount", "--cgroup", ...command];
  }

  /** Whether the service is ready. */
  async isActive(): Promise<boolean> {
    return (await this.run("systemctl", "is-active", "kcovfs")).stdout === "active\n";
  }

  /** A property of the service, by `systemctl show`. */
  async property(name: string): Promise<string> {
    const { stdout } = await this.run(
      "systemctl",
      "show",
      "--value",
      `--property=${name}`,
      "kcovfs",
    );
    return stdout.trim();
  }

  /** The mount points of kcovfs, as everybody on the machine sees them. */
  mounts(): string[] {
    const table = parseMountTable(readFileSync(`/proc/${this.pid}/mountinfo`, "utf8"));
    return table.filter(({ type }) => type === "fuse.kcovfs").map(({ mountPoint }) => mountPoint)
      .filter((mountPoint) => mountPoint.startsWith("/run/"));
  }

  /** Waits until something holds; throws after 20 s. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; !await holds(); i++) {
      if (i === 200) throw new Error(`It never came to be that ${holds}`);
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#outside.once("exit", resolve));
    this.#outside.kill("SIGKILL");
    await ended;
    await this.until(() => !isThere(this.pid));
    const script =
      'mount -t cgroup2 cgroup2 /mnt && find "/mnt/$0" -depth -type d -exec rmdir {} +';
    execFileSync("unshare", ["--mount", "sh", "-c", script, this.#cgroup]);
  }
}

/** A process's only child. */
async function childOf(pid: number): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    if (Number(child) > 0 && readFileSync(`/proc/${child}/comm`, "utf8") === "systemd\n") {
      return Number(child);
    }
    await sleep(50);
  }
  throw new Error("systemd does not start");
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
