/** System calls that Node has nothing of, by `koffi`, which is loaded at first use. */
import { createRequire } from "node:module";
import type * as Koffi from "koffi";

type Call = (...args: (number | string | Int32Array)[]) => number;

const calls = new Map<string, Call>();

/** A function of the C library, by its declaration. */
function libc(declaration: string): Call {
  let call = calls.get(declaration);
  if (!call) {
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    calls.set(declaration, call = koffi.load(null).func(declaration) as Call);
  }
  return call;
}

const PR_SET_PDEATHSIG = 1;
const PR_SET_TIMERSLACK = 29;

function prctl(option: number, value: number): void {
  const call = libc("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)");
  if (call(option, value, 0, 0, 0) !== 0) throw new Error(`Cannot call prctl(${option}, ${value})`);
}

/** Has the kernel send this process a signal when the thread that started it ends. */
export function signalOnParentDeath(signal: number): void {
  prctl(PR_SET_PDEATHSIG, signal);
}

/** How much later than asked for the calling thread may be woken, in ns; 50 µs unless set. */
export function setTimerSlack(ns: number): void {
  prctl(PR_SET_TIMERSLACK, ns);
}

/** Makes a FIFO. */
export function mkfifo(path: string, mode: number): void {
  if (libc("int mkfifo(const char *, unsigned int)")(path, mode) !== 0) {
    throw new Error(`Cannot make the FIFO ${path}`);
  }
}

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;
const ONE = Int32Array.of(1);

/**
 * Acknowledges what has come over a TCP connection, and what comes next, without delay. Linux falls back
 * to delaying by itself (`tcp(7)`), so it is to be called whenever something has come.
 */
export function acknowledgeAtOnce(fd: number): void {
  libc("int setsockopt(int, int, int, const int *, unsigned int)")(
    ...[fd, IPPROTO_TCP, TCP_QUICKACK],
    ...[ONE, 4],
  );
}
