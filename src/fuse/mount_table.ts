import { readFile } from "node:fs/promises";

/** A line of `/proc/self/mountinfo`. */
export interface MountEntry {
  readonly mountPoint: string;
  /** With the subtype: `fuse.kcovfs`. */
  readonly type: string;
  readonly source: string;
  /** The device's minor number: for a FUSE mount, the connection's under `/sys/fs/fuse/connections`. */
  readonly minor: number;
}

/** The mounts that a process sees, by default this one, the oldest first. */
export async function readMountTable(pid: number | "self" = "self"): Promise<MountEntry[]> {
  return parseMountTable(await readFile(`/proc/${pid}/mountinfo`, "utf8"));
}

/** Parses mountinfo's text (`proc_pid_mountinfo(5)`); lines of another form are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    const [, , device, , mountPoint] = left.split(" ");
    const [type, source] = (right ?? "").split(" ");
    if (mountPoint && type) {
      const minor = Number(device.split(":")[1]);
      entries.push({
        mountPoint: unescape(mountPoint),
        type,
        source: unescape(source ?? ""),
        minor,
      });
    }
  }
  return entries;
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}
