import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { isIPv6 } from "node:net";

/**
 * A process as the kernel describes it: `proc_pid_status(5)` and others. To read this waits for locks and
 * pages of the process, so the server leaves it to its {@linkcode ProcessReader}.
 */
export interface ProcessFacts {
  readonly pid: number;
  /** The name of its executable file. */
  readonly program: string;
  /** One letter: `R`, `S`, `T` (stopped), `Z` (ended), ... */
  readonly state: string;
  /** Its user; root where its real user and its effective user differ. */
  readonly uid: number;
  /** Whether it has a handler for SIGUSR1, which would kill it otherwise. */
  readonly handlesSigusr1: boolean;
  /** Whether it was started with an inspector, as far as its arguments and NODE_OPTIONS say. */
  readonly hasInspectOption: boolean;
  /** Whether it shares this process's network. */
  readonly sharesNetwork: boolean;
}

/** A TCP socket that listens. */
export interface Listener {
  readonly address: string;
  readonly port: number;
}

const SIGUSR1 = 10;
/** A listening socket's state: `TCP_LISTEN` in `include/net/tcp_states.h`. */
const LISTENING = "0A";

/** @throws {Error} with a reason when there is no such process, or when it may not be looked at. */
export async function readProcess(pid: number): Promise<ProcessFacts> {
  const proc = `/proc/${pid}`;
  let status: string;
  try {
    status = await readFile(`${proc}/status`, "utf8");
  } catch {
    throw new Error("there is no such process");
  }
  try {
    const { state, uid, caught } = parseStatus(status);
    if (state === "Z" || state === "X") throw new Error("there is no such process");
    return {
      pid,
      program: basename((await readlink(`${proc}/exe`)).replace(/ \(deleted\)$/, "")),
      state,
      uid,
      handlesSigusr1: (caught >> BigInt(SIGUSR1 - 1) & 1n) === 1n,
      hasInspectOption: hasInspectOption(
        await readFile(`${proc}/cmdline`, "utf8"),
        await readFile(`${proc}/environ`, "utf8"),
      ),
      sharesNetwork: await readlink(`${proc}/ns/net`) === await readlink("/proc/self/ns/net"),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") throw new Error("there is no such process");
    if (code === "EACCES" || code === "EPERM") {
      const isRoot = process.geteuid?.() === 0;
      const way = isRoot ? "the kernel denies it, even to root" : "run the server as root";
      throw new Error(`the server may not look at this process: ${way}`);
    }
    throw error;
  }
}

/** The state, the user and the caught signals out of `/proc/PID/status`. */
export function parseStatus(status: string): { state: string; uid: number; caught: bigint } {
  const field = (name: string) => status.match(new RegExp(`^${name}:\\s*(\\S+)`, "m"))?.[1];
  return {
    state: field("State") ?? "",
    uid: ownerOf(status),
    caught: BigInt(`0x${field("SigCgt") ?? "0"}`),
  };
}

function ownerOf(status: string): number {
  const uids = status.match(/^Uid:\s*(.*)$/m)?.[1].trim().split(/\s+/) ?? [];
  return new Set(uids).size === 1 ? Number(uids[0]) : 0;
}

/** Whether a process's arguments or environment, each ended by a zero, have Node open an inspector. */
export function hasInspectOption(cmdline: string, environ: string): boolean {
  const variables = environ.split("\0").filter((line) => line.startsWith("NODE_OPTIONS="));
  const options = variables.flatMap((line) => line.slice("NODE_OPTIONS=".length).split(/\s+/));
  const isInspect = (word: string) => /^"?--inspect(?:-brk|-wait)?(?:=|$)/.test(word);
  return [...cmdline.split("\0"), ...options].some(isInspect);
}

/** The TCP sockets at which a process listens. */
export async function listenersOf(pid: number): Promise<Listener[]> {
  const inodes = await socketsOf(pid);
  const tables = ["tcp", "tcp6"].map((table) => readText(`/proc/${pid}/net/${table}`));
  return (await Promise.all(tables)).flatMap(parseListeners)
    .filter(({ inode }) => inodes.has(inode))
    .map(({ address, port }) => ({ address, port }));
}

/** The process that listens at a port of this network, for a message: `pid 4711 (node)`; undefined if none. */
export async function whoListens(port: number): Promise<string | undefined> {
  const pid = await listenerAt(port);
  if (pid === undefined) return undefined;
  if (pid === 0) return "another process";
  return `pid ${pid} (${(await readText(`/proc/${pid}/comm`)).trim()})`;
}

/** The process that listens at a port of this network; 0 for one that cannot be seen. */
export async function listenerAt(port: number): Promise<number | undefined> {
  const tables = ["tcp", "tcp6"].map((table) => readText(`/proc/self/net/${table}`));
  const all = (await Promise.all(tables)).flatMap(parseListeners);
  const found = all.filter((listener) => listener.port === port);
  if (found.length === 0) return undefined;
  for (const pid of (await readdir("/proc")).map(Number).filter((pid) => pid > 0)) {
    const inodes = await socketsOf(pid);
    if (found.some(({ inode }) => inodes.has(inode))) return pid;
  }
  return 0;
}

/** The arguments and the environment of a process, joined by zeros; empty where they may not be read. */
export async function commandLineOf(pid: number): Promise<string> {
  const texts = ["cmdline", "environ"].map((name) => readText(`/proc/${pid}/${name}`));
  return (await Promise.all(texts)).join("\0");
}

/** The inodes of a process's sockets; none where it is gone, or may not be looked at. */
async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(
    fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
  );
  return new Set(links.flatMap((link) => link.match(/^socket:\[(\d+)\]$/)?.[1] ?? []));
}

async function readText(file: string): Promise<string> {
  return await readFile(file, "latin1").catch(() => "");
}

/** The listening sockets in the text of `/proc/net/tcp` or `tcp6` (`proc_net_tcp(5)`). */
export function parseListeners(text: string): (Listener & { readonly inode: string })[] {
  return text.split("\n").flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state !== LISTENING || !local || !inode) return [];
    const [address, port] = local.split(":");
    return [{ address: parseAddress(address), port: parseInt(port, 16), inode }];
  });
}

/** An address as the kernel prints it: 32-bit words, each in the machine's order. */
function parseAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, "hex").reverse()]);
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => (bytes[2 * i] << 8 | bytes[2 * i + 1]).toString(16),
  );
  const address = groups.join(":");
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : hex;
}
