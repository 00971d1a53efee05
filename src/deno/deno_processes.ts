import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";

/**
 * The process itself if it is a Deno, else those of its children that are: a command that is called `deno` may
 * be a launcher, such as npm's. A Deno's own children are not looked at.
 *
 * @returns undefined when there is no such process, or it must not be looked into.
 */
export async function denoProcesses(pid: number): Promise<number[] | undefined> {
  const program = await readlink(`/proc/${pid}/exe`).catch(() => undefined);
  if (program === undefined) return undefined;
  if (/^deno/.test(basename(program))) return [pid];
  const children = await childrenOf(pid);
  return (await Promise.all(children.map(denoProcesses))).flatMap((found) => found ?? []);
}

/** The children of each thread, as the kernel lists them (`CONFIG_PROC_CHILDREN`). */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((tid) => readFile(`/proc/${pid}/task/${tid}/children`, "latin1").catch(() => "")),
  );
  return lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
}
