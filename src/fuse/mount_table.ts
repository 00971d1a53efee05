import { readFile } from "node:fs/promises";

/** A line of `/proc/self/mountinfo`. */
export interface MountEntry {
  readonly mountPoint: string;
  /** With the subtype: `fuse.kcovfs`. */
  readonly type: string;
  readonly source: string;
}

/** The mounts that this process sees, the oldest first. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
}

/** Parses mountinfo's text (`proc_pid_mountinfo(5)`); lines of another form are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    const mountPoint = left.split(" ")[4];
    const [type, source] = (right ?? "").split(" ");
    if (mountPoint && type) {
      entries.push({ mountPoint: unescape(mountPoint), type, source: unescape(source ?? "") });
    }
  }
  return entries;
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}
