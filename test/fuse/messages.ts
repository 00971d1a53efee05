/**
 * Messages of the kernel and their answers, laid out by hand after `linux/fuse.h`. The numbers are chosen so
 * that a field that is read at another place or with another width is noticed.
 */

import { fromHex } from "./hex.ts";

/** One exchange; all bytes are hexadecimal, in the order of the header's fields. */
export interface Exchange {
  /** Its name in debug lines. */
  readonly name: string;
  /** The filesystem's method, where it has one. */
  readonly method: string | undefined;
  readonly request: string;
  /** The method's input. */
  readonly input?: unknown;
  /** The method's result. */
  readonly output?: unknown;
  /** Undefined for messages without an answer. */
  readonly reply: string | undefined;
}

/** The rest of `fuse_in_header`: unique 2, node 7, uid 1000, gid 1001, pid 1234, no extensions. */
const FROM = "0200000000000000 0700000000000000 e8030000 e9030000 d2040000 0000 0000";
/** The rest of `fuse_out_header`: no error, unique 2. */
const OK = "00000000 0200000000000000";

/** 0x0001020304050607. */
const FH = 0x0001020304050607;
const FH_HEX = "0706050403020100";

const ATTR = {
  ...{ ino: 9, size: 0x12345678, blocks: 8 },
  ...{ atime: 1700000001, mtime: 1700000002, ctime: 1700000003 },
  ...{ atimensec: 4, mtimensec: 5, ctimensec: 6 },
  ...{ mode: 0o100600, nlink: 1, uid: 1000, gid: 1001, rdev: 7, blksize: 4096, flags: 2 },
};
const ATTR_HEX = "0900000000000000 7856341200000000 0800000000000000" +
  "01f1536500000000 02f1536500000000 03f1536500000000" +
  "04000000 05000000 06000000" +
  "80810000 01000000 e8030000 e9030000 07000000 00100000 02000000";

const ATTR_OUT = { attr_valid: 60, attr_valid_nsec: 7, attr: ATTR };
const ATTR_OUT_HEX = `3c00000000000000 07000000 00000000 ${ATTR_HEX}`;
const OPEN_OUT = { fh: FH, open_flags: 5 };
const READ_IN = { fh: FH, offset: 0x1_0000_2000, size: 4096, read_flags: 2, flags: 0x8002 };
const READ_IN_HEX =
  `${FH_HEX} 0020000001000000 00100000 02000000 ffffffffffffffff 02800000 00000000`;
const RELEASE_IN = { fh: FH, flags: 0x8002, release_flags: 3, lock_owner: 0xfedcba9876543210n };
const RELEASE_IN_HEX = `${FH_HEX} 02800000 03000000 1032547698badcfe`;

const LOOKUP: Exchange = {
  name: "LOOKUP",
  method: "lookup",
  request: `2d000000 01000000 ${FROM} 6b636f7600`,
  input: "kcov",
  output: {
    ...{ nodeid: 9, generation: 3, entry_valid: 5, attr_valid: 60 },
    ...{ entry_valid_nsec: 500_000_000, attr_valid_nsec: 1, attr: ATTR },
  },
  reply: `90000000 ${OK} 0900000000000000 0300000000000000 0500000000000000 3c00000000000000` +
    `0065cd1d 01000000 ${ATTR_HEX}`,
};

const ATTRIBUTES: Exchange[] = [
  {
    name: "GETATTR",
    method: "getattr",
    request: `38000000 03000000 ${FROM} 01000000 00000000 ${FH_HEX}`,
    input: { getattr_flags: 1, fh: FH },
    output: ATTR_OUT,
    reply: `78000000 ${OK} ${ATTR_OUT_HEX}`,
  },
  {
    name: "SETATTR",
    method: "setattr",
    request: `80000000 04000000 ${FROM} 68020000 00000000 ${FH_HEX} ffffffffffffff7f` +
      "1032547698badcfe 01f1536500000000 02f1536500000000 03f1536500000000" +
      "04000000 05000000 06000000 80810000 00000000 e8030000 e9030000 00000000",
    input: {
      ...{ valid: 0x268, fh: FH, size: 0x7fffffffffffffffn, lock_owner: 0xfedcba9876543210n },
      ...{ atime: 1700000001n, mtime: 1700000002n, ctime: 1700000003n },
      ...{ atimensec: 4, mtimensec: 5, ctimensec: 6, mode: 0o100600, uid: 1000, gid: 1001 },
    },
    output: ATTR_OUT,
    reply: `78000000 ${OK} ${ATTR_OUT_HEX}`,
  },
  {
    name: "ACCESS",
    method: "access",
    request: `30000000 22000000 ${FROM} 04000000 00000000`,
    input: { mask: 4 },
    reply: `10000000 ${OK}`,
  },
  {
    name: "READLINK",
    method: "readlink",
    request: `28000000 05000000 ${FROM}`,
    output: "../é",
    reply: `15000000 ${OK} 2e2e2fc3a9`,
  },
  {
    name: "STATFS",
    method: "statfs",
    request: `28000000 11000000 ${FROM}`,
    output: {
      ...{ blocks: 1, bfree: 2, bavail: 3, files: 4, ffree: 5 },
      ...{ bsize: 4096, namelen: 255, frsize: 512 },
    },
    reply: `60000000 ${OK} 0100000000000000 0200000000000000 0300000000000000` +
      `0400000000000000 0500000000000000 00100000 ff000000 00020000 ${"00".repeat(28)}`,
  },
];

const FILES: Exchange[] = [
  {
    name: "OPEN",
    method: "open",
    request: `30000000 0e000000 ${FROM} 02800000 01000000`,
    input: { flags: 0x8002, open_flags: 1 },
    output: OPEN_OUT,
    reply: `20000000 ${OK} ${FH_HEX} 05000000 00000000`,
  },
  {
    name: "READ",
    method: "read",
    request: `50000000 0f000000 ${FROM} ${READ_IN_HEX}`,
    input: READ_IN,
    output: Uint8Array.of(1, 2, 3),
    reply: `13000000 ${OK} 010203`,
  },
  {
    name: "WRITE",
    method: "write",
    request: `55000000 10000000 ${FROM} ${FH_HEX} 0020000001000000 05000000 01000000` +
      "ffffffffffffffff 02800000 00000000 68656c6c6f",
    input: {
      ...{ fh: FH, offset: 0x1_0000_2000, size: 5, write_flags: 1, flags: 0x8002 },
      data: new TextEncoder().encode("hello"),
    },
    output: { size: 5 },
    reply: `18000000 ${OK} 05000000 00000000`,
  },
  {
    name: "RELEASE",
    method: "release",
    request: `40000000 12000000 ${FROM} ${RELEASE_IN_HEX}`,
    input: RELEASE_IN,
    reply: `10000000 ${OK}`,
  },
  {
    name: "FSYNC",
    method: "fsync",
    request: `38000000 14000000 ${FROM} ${FH_HEX} 01000000 00000000`,
    input: { fh: FH, fsync_flags: 1 },
    reply: `10000000 ${OK}`,
  },
  {
    name: "FLUSH",
    method: "flush",
    request: `40000000 19000000 ${FROM} ${FH_HEX} 00000000 00000000 1032547698badcfe`,
    input: { fh: FH, lock_owner: 0xfedcba9876543210n },
    reply: `10000000 ${OK}`,
  },
];

const DIRECTORIES: Exchange[] = [
  {
    name: "OPENDIR",
    method: "opendir",
    request: `30000000 1b000000 ${FROM} 00800100 00000000`,
    input: { flags: 0x18000, open_flags: 0 },
    output: OPEN_OUT,
    reply: `20000000 ${OK} ${FH_HEX} 05000000 00000000`,
  },
  {
    name: "READDIR",
    method: "readdir",
    request: `50000000 1c000000 ${FROM} ${READ_IN_HEX}`,
    input: READ_IN,
    output: Uint8Array.of(9),
    reply: `11000000 ${OK} 09`,
  },
  {
    name: "READDIRPLUS",
    method: "readdirplus",
    request: `50000000 2c000000 ${FROM} ${READ_IN_HEX}`,
    input: READ_IN,
    output: new Uint8Array(),
    reply: `10000000 ${OK}`,
  },
  {
    name: "RELEASEDIR",
    method: "releasedir",
    request: `40000000 1d000000 ${FROM} ${RELEASE_IN_HEX}`,
    input: RELEASE_IN,
    reply: `10000000 ${OK}`,
  },
  {
    name: "FSYNCDIR",
    method: "fsyncdir",
    request: `38000000 1e000000 ${FROM} ${FH_HEX} 01000000 00000000`,
    input: { fh: FH, fsync_flags: 1 },
    reply: `10000000 ${OK}`,
  },
];

/** `KCOV_REMOTE_ENABLE` with its head, refused with ENOTSUPP. */
const IOCTL: Exchange = {
  name: "IOCTL",
  method: "ioctl",
  request: `60000000 27000000 ${FROM} ${FH_HEX} 00000000 66631840 f0debc9a78563412` +
    "18000000 18000000 000000000100000000000000000000000300000000000000",
  input: {
    ...{ fh: FH, flags: 0, cmd: 0x40186366, arg: 0x123456789abcdef0n, in_size: 24, out_size: 24 },
    data: fromHex("0000000001000000 0000000000000000 0300000000000000"),
  },
  output: { result: -524, data: Uint8Array.of(1, 2) },
  reply: `22000000 ${OK} f4fdffff 00000000 00000000 00000000 0102`,
};

/** Messages that the session answers by itself, or that nobody answers. */
const SESSION: Exchange[] = [
  {
    name: "INIT",
    method: undefined,
    request: `68000000 1a000000 ${FROM} 07000000 2d000000 00000100 fbff7f71 01000000 ${
      "00".repeat(44)
    }`,
    // Of 0x717ffffb: ATOMIC_O_TRUNC, BIG_WRITES, PARALLEL_DIROPS, ABORT_ERROR, MAX_PAGES.
    // CACHE_SYMLINKS and EXPLICIT_INVAL_DATA are not offered.
    reply: `50000000 ${OK} 07000000 2d000000 00000100 28006400 4000 3000 00001000 01000000` +
      `0001 0000 ${"00".repeat(32)}`,
  },
  {
    name: "DESTROY",
    method: "destroy",
    request: `28000000 26000000 ${FROM}`,
    reply: `10000000 ${OK}`,
  },
  {
    name: "INTERRUPT",
    method: undefined,
    request: `30000000 24000000 ${FROM} 0600000000000000`,
    // EAGAIN, since there is no request 6.
    reply: "10000000 f5ffffff 0200000000000000",
  },
  {
    name: "FORGET",
    method: "forget",
    request: `30000000 02000000 ${FROM} 0300000000000000`,
    reply: undefined,
  },
  {
    name: "BATCH_FORGET",
    method: "forget",
    request: `50000000 2a000000 ${FROM} 02000000 00000000 0700000000000000 0100000000000000` +
      "0800000000000000 0200000000000000",
    reply: undefined,
  },
];

/** Exchanges with a filesystem's method. */
export const OPERATIONS: readonly Exchange[] = [
  LOOKUP,
  ...ATTRIBUTES,
  ...FILES,
  ...DIRECTORIES,
  IOCTL,
];

/** All messages that the session knows. */
export const EXCHANGES: readonly Exchange[] = [...OPERATIONS, ...SESSION];
