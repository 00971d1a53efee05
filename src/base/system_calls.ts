/** System calls that Node does not have, by `koffi`, which is loaded at first use. */
import { createRequire } from "node:module";
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type * as Koffi from "koffi";

type Argument = number | bigint | string | null | Int32Array | Uint8Array;
type Call<Result = number> = (...args: Argument[]) => Result;
/** A function of the C library that runs on a thread of the pool. */
type AsideCall = (...args: [...Argument[], (error: unknown, result: number) => void]) => void;

const calls = new Map<string, Call>();

/** A function of the C library, by its declaration. */
export function libc(declaration: string): Call {
  let call = calls.get(declaration);
  if (!call) calls.set(declaration, call = koffi().load(null).func(declaration) as Call);
  return call;
}

let loaded: typeof Koffi | undefined;

function koffi(): typeof Koffi {
  return loaded ??= createRequire(import.meta.url)("koffi") as typeof Koffi;
}

/**
 * The same function on a thread of the pool. Bytes that are passed to it must not change, nor be collected,
 * before it is done. Its errno is that thread's and is lost.
 */
export function libcAside(declaration: string): AsideCall {
  const call = libc(declaration) as unknown as Koffi.KoffiFunc<Call>;
  return (...args) => call.async(...args);
}

/** The errno of the last call. Nothing may come between the two: Node's own calls change it. */
export function errno(): number {
  return loaded!.errno();
}

/** A system call has failed. `code` is the errno's name. */
export class SystemCallError extends Error {
  override name = "SystemCallError";
  readonly code: string;

  /** @param what The call, as in "Cannot call ioctl(2) of a file". */
  constructor(what: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${what}: ${code}`);
    this.code = code;
  }
}

/**
 * `ioctl(2)` with a pointer to bytes, which the kernel may write into.
 *
 * @throws {SystemCallError}
 */
export function ioctl(fd: number, call: { request: number; argument: Uint8Array }): number {
  const { request, argument } = call;
  const result = libc("int ioctl(int, unsigned long, void *)")(fd, request, argument);
  if (result >= 0) return result;
  throw new SystemCallError(`Cannot call ioctl 0x${request.toString(16)}`, errno());
}

/**
 * `ioctl(2)` with a number.
 *
 * @throws {SystemCallError}
 */
export function ioctlWith(fd: number, call: { request: number; argument: bigint }): number {
  const { request, argument } = call;
  const result = libc("int ioctl(int, unsigned long, unsigned long)")(fd, request, argument);
  if (result >= 0) return result;
  throw new SystemCallError(`Cannot call ioctl 0x${request.toString(16)}`, errno());
}

/**
 * `write(2)` on a thread of the pool: with Deno `fs.write` occupies the thread that calls it (measured:
 * 2.9.5). The bytes must not change before it is done.
 *
 * @returns 0, or EIO for any failure: the errno is that thread's and is lost.
 */
export function writeAside(fd: number, bytes: Uint8Array): Promise<number> {
  const write = libcAside("int64_t write(int, const void *, size_t)");
  return new Promise((resolve) => {
    write(fd, bytes, bytes.length, (error, written) => {
      // The call holds the bytes only as an address.
      resolve(!error && Number(written) === bytes.length ? 0 : constants.errno.EIO);
    });
  });
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the lock of an open file (`flock(2)`) if it is free. The kernel releases it when the last descriptor
 * of this opening is closed, however the process ends.
 *
 * @throws {SystemCallError}
 */
export function tryLock(fd: number): boolean {
  if (libc("int flock(int, int)")(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const number = errno();
  if (number === constants.errno.EWOULDBLOCK) return false;
  throw new SystemCallError("Cannot lock a file", number);
}

/**
 * Has the filesystem take memory or disk for bytes of a file, so that writing them cannot fail
 * (`posix_fallocate(3)`). Bytes that are there already stay.
 *
 * @param from Where these bytes begin; by default at the start of the file.
 * @throws {SystemCallError} ENOSPC when there is not that much.
 */
export function reserve(fd: number, bytes: number, from = 0): void {
  const number = libc("int posix_fallocate(int, int64_t, int64_t)")(fd, from, bytes);
  if (number !== 0) throw new SystemCallError(`Cannot reserve ${bytes} bytes`, number);
}

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FIXED = 0x10;
const MAP_PRIVATE_FIXED_ANONYMOUS_NORESERVE = 0x2 | 0x10 | 0x20 | 0x4000;
const MAP_FAILED = 2n ** 64n - 1n;

function mmap(...args: Argument[]): bigint {
  const declaration = "void *mmap(void *, size_t, int, int, int, long)";
  const address = (libc(declaration) as Call<unknown> as Call<bigint>)(...args);
  if (address === MAP_FAILED) throw new SystemCallError("Cannot map memory", errno());
  return address;
}

/**
 * Maps so many bytes of a file, from its start, shared with all others that map it.
 *
 * @param options `at`: the address; it replaces a mapping that is there. By default the kernel chooses.
 * @returns the address.
 * @throws {SystemCallError} EINVAL for 0 bytes.
 */
export function mapFile(fd: number, options: { bytes: number; at?: bigint }): bigint {
  const { bytes, at } = options;
  const flags = at === undefined ? MAP_SHARED : MAP_SHARED | MAP_FIXED;
  return mmap(at ?? null, bytes, PROT_READ_WRITE, flags, fd, 0);
}

/**
 * Maps so many bytes of a file, from its start, shared with all others that map it.
 *
 * @returns the address and the memory there. Code that reads or writes it must not outlive the mapping.
 * @throws {SystemCallError} EINVAL for 0 bytes.
 */
export function mapShared(fd: number, bytes: number): { address: bigint; memory: ArrayBuffer } {
  const address = mapFile(fd, { bytes });
  return { address, memory: koffi().view(address, bytes) };
}

/** Replaces a file's mapping by zeros, which take memory only where they are written over. */
export function mapZeros(address: bigint, bytes: number): void {
  mmap(address, bytes, PROT_READ_WRITE, MAP_PRIVATE_FIXED_ANONYMOUS_NORESERVE, -1, 0);
}

/** Ends a mapping. */
export function unmap(address: bigint, bytes: number): void {
  if (libc("int munmap(void *, size_t)")(address, bytes) !== 0) {
    throw new SystemCallError("Cannot unmap memory", errno());
  }
}

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const MSG_NOSIGNAL = 0x4000;

/**
 * Sends a datagram to a Unix socket, which Node cannot.
 *
 * @param address A path, or `@` and a name that is no file's (`unix(7)`, "abstract").
 * @throws {SystemCallError}
 */
export function sendDatagram(address: string, data: Uint8Array): void {
  const what = `Cannot send to ${address}`;
  const isAbstract = address.startsWith("@");
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  const sockaddr = Buffer.concat([Uint8Array.of(AF_UNIX, 0), path]);
  const fd = libc("int socket(int, int, int)")(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new SystemCallError(what, errno());
  const send = libc("long sendto(int, const void *, size_t, int, const void *, unsigned int)");
  const sent = send(...[fd, data, data.length, MSG_NOSIGNAL], ...[sockaddr, sockaddr.length]);
  const number = sent < 0 ? errno() : 0;
  // Not by Node: Deno does not know descriptors that it has not opened.
  libc("int close(int)")(fd);
  if (number !== 0) throw new SystemCallError(what, number);
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** The peer of a Unix socket (`SO_PEERCRED`, `unix(7)`); undefined for any other descriptor. */
export function peerCredentials(
  fd: number,
): { pid: number; uid: number; gid: number } | undefined {
  // `struct ucred`.
  const credentials = new Int32Array(3);
  const length = Int32Array.of(credentials.byteLength);
  const getsockopt = libc("int getsockopt(int, int, int, void *, void *)");
  if (
    getsockopt(...[fd, SOL_SOCKET, SO_PEERCRED], ...[credentials, length]) !== 0
  ) {
    return undefined;
  }
  const [pid, uid, gid] = credentials;
  // For anything but a Unix socket the kernel says -1.
  return uid === -1 ? undefined : { pid, uid: uid >>> 0, gid: gid >>> 0 };
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

/** Sets by how many ns the kernel may wake the calling thread late; 50 µs unless set. */
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
 * Acknowledges at once all that has come over a TCP connection, and the next that comes. Linux falls back to
 * delayed acknowledgements by itself (`tcp(7)`), so call this whenever something has come.
 */
export function acknowledgeAtOnce(fd: number): void {
  libc("int setsockopt(int, int, int, const int *, unsigned int)")(
    ...[fd, IPPROTO_TCP, TCP_QUICKACK],
    ...[ONE, 4],
  );
}

/** `_exit(2)`: ends this process with all its threads at once; nothing more of it runs. */
export function exitNow(status: number): void {
  libc("void _exit(int)")(status);
}
