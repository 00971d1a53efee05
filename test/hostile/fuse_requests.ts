/** The kernel's requests: whole ones, and the same with changed bits. */
import { abi } from "../../src/fuse/mod.ts";
import { Writer } from "../../src/fuse/wire.ts";
import type { Random } from "./random.ts";
import { fileHandle, nodeId, unique } from "../../src/fuse/ids.ts";

export const HEADER = 40;

/** Opcodes that Linux 6.18 may send and for which we have no row. */
const OTHER_OPCODES = [
  ...[
    6,
    8,
    9,
    10,
    11,
    12,
    13,
    21,
    22,
    23,
    24,
    31,
    32,
    33,
    35,
    37,
    40,
    41,
    43,
    45,
    46,
    47,
    48,
    49,
  ],
  ...[50, 51, 52, 4096],
];

export interface From {
  readonly unique: number;
  readonly nodeid: number;
  readonly pid: number;
}

/** A request with its header; `write` writes its structures. */
export function request(
  opcode: number,
  { unique: number, nodeid, pid }: From,
  write: (writer: Writer) => void = () => {},
): Uint8Array {
  const writer = new Writer(256);
  const header = {
    opcode,
    unique: unique(number),
    nodeid: nodeId(nodeid),
    uid: 1000,
    gid: 1000,
    pid,
    total_extlen: 0,
  };
  abi.fuse_in_header.encode(writer, { ...header, len: 0 });
  write(writer);
  const len = writer.length;
  abi.fuse_in_header.encode(writer.seek(0), { ...header, len });
  return writer.seek(len).finish().slice();
}

/** INIT as Linux 6.18 sends it. */
export function init(
  from: From,
  options: { isPassthrough: boolean; minor?: number },
): Uint8Array {
  const { isPassthrough, minor = 45 } = options;
  return request(abi.FUSE_OPCODE.INIT, from, (writer) => {
    const flags = 0x73fffffb;
    abi.fuse_init_in.encode(writer, {
      major: 7,
      minor,
      max_readahead: 131072,
      flags,
    });
    writer.u32(isPassthrough ? 0x7f : 0);
    writer.zeros(44);
  });
}

type Name = keyof typeof abi.FUSE_OPCODE;

/** The contents of requests' bodies. */
export interface Choices {
  readonly random: Random;
  /** A handle, mostly one that exists. */
  readonly fh: number;
  /** A request that may be under way. */
  readonly other: number;
  /** Names that may exist. */
  readonly names: readonly string[];
}

/** Writes the body that a request of this name has. */
export function body(name: Name, choices: Choices): (writer: Writer) => void {
  const { random, fh, other } = choices;
  const none = { read_flags: 0, flags: 0x8002 };
  switch (name) {
    case "LOOKUP":
      return (writer) => writer.text(`${random.pick(choices.names)}\0`);
    case "GETATTR":
      return (writer) =>
        abi.fuse_getattr_in.encode(writer, {
          getattr_flags: random.below(2),
          fh: fileHandle(fh),
        });
    case "SETATTR":
      return (writer) => writeSetattr(writer, choices);
    case "OPEN":
    case "OPENDIR":
      return (writer) => {
        abi.fuse_open_in.encode(writer, {
          flags: random.pick([0, 1, 2, 0x8002]),
          open_flags: 0,
        });
      };
    case "READ":
    case "READDIR":
    case "READDIRPLUS": {
      const offset = name === "READ" ? 4096 * random.below(4) : random.below(6);
      const size = random.pick([4096, 4096, 8192, 64, 131072]);
      return (writer) =>
        abi.fuse_read_in.encode(writer, { fh: fileHandle(fh), offset, size, ...none });
    }
    case "WRITE":
      return (writer) => writeWrite(writer, choices);
    case "RELEASE":
    case "RELEASEDIR": {
      const rest = {
        flags: 2,
        release_flags: random.below(4),
        lock_owner: random.u64(),
      };
      return (writer) => abi.fuse_release_in.encode(writer, { fh: fileHandle(fh), ...rest });
    }
    case "FSYNC":
    case "FSYNCDIR":
      return (writer) =>
        abi.fuse_fsync_in.encode(writer, { fh: fileHandle(fh), fsync_flags: random.below(2) });
    case "FLUSH":
      return (writer) =>
        abi.fuse_flush_in.encode(writer, { fh: fileHandle(fh), lock_owner: random.u64() });
    case "ACCESS":
      return (writer) => abi.fuse_access_in.encode(writer, { mask: random.below(8) });
    case "IOCTL":
      return (writer) => writeIoctl(writer, choices);
    case "INTERRUPT":
      return (writer) => abi.fuse_interrupt_in.encode(writer, { unique: unique(other) });
    case "FORGET":
      return (writer) => abi.fuse_forget_in.encode(writer, { nlookup: 1 + random.below(3) });
    case "BATCH_FORGET":
      return (writer) => writeForgets(writer, choices);
    default:
      return () => {};
  }
}

function writeSetattr(writer: Writer, { random, fh }: Choices): void {
  const times = {
    atime: 1n,
    mtime: 2n,
    ctime: 3n,
    atimensec: 4,
    mtimensec: 5,
    ctimensec: 6,
  };
  const size = random.pick([0n, 4096n, random.u64()]);
  const owner = { mode: 0o644, uid: 0, gid: 0, lock_owner: 0n };
  const valid = random.pick([0, 8, 1, 2, 0x230, 0x68, random.u32()]);
  abi.fuse_setattr_in.encode(writer, { valid, fh: fileHandle(fh), size, ...times, ...owner });
}

function writeWrite(writer: Writer, { random, fh }: Choices): void {
  const size = random.pick([4096, 4096, 8, 0, 8192]);
  const offset = 4096 * random.below(4);
  const write_flags = random.chance(80) ? 1 : random.below(8);
  abi.fuse_write_in.encode(writer, { fh: fileHandle(fh), offset, size, write_flags, flags: 2 });
  writer.bytes(
    random.chance(50) ? new Uint8Array(size) : new Uint8Array(size).fill(random.u32()),
  );
}

/** Sizes of an area, small ones mostly. */
const WORDS = [512n, 512n, 1024n, 2048n, 64n, 2n, 1n, 0n, 1n << 27n, 1n << 40n];
const COMMANDS = [
  0x80086301,
  0x6364,
  0x6364,
  0x6365,
  0x6368,
  0x40186366,
  0x1234,
];

function writeIoctl(writer: Writer, { random, fh }: Choices): void {
  const cmd = random.pick(COMMANDS);
  const isInit = cmd === 0x80086301;
  const isRemote = cmd === 0x40186366;
  const arg = isInit ? random.pick(WORDS) : isRemote ? random.u64() : BigInt(random.below(3) >> 1);
  const in_size = isRemote ? 24 : 0;
  const call = { fh: fileHandle(fh), flags: 0, cmd, arg, in_size, out_size: isInit ? 8 : 0 };
  abi.fuse_ioctl_in.encode(writer, call);
  if (!isRemote) return;
  writer.u32(random.below(3));
  writer.u32(512);
  writer.u32(random.pick([0, 1, 2, 256, 257, random.u32()]));
  writer.u32(0);
  writer.u64(random.pick([0n, BigInt(random.below(4)), random.u64()]));
}

function writeForgets(writer: Writer, { random }: Choices): void {
  const count = random.below(5);
  abi.fuse_batch_forget_in.encode(writer, { count });
  for (let i = 0; i < count; i++) {
    const nodeid = 1001 + random.below(40);
    abi.fuse_forget_one.encode(writer, { nodeid: nodeId(nodeid), nlookup: 1 });
  }
}

/** Changes bits of a request, or its length, or its header's claims about it. */
export function mutate(message: Uint8Array, random: Random): Uint8Array {
  let mutant: Uint8Array = message.slice();
  for (let i = 1 + random.below(2); i > 0; i--) {
    mutant = mutateOnce(mutant, random);
  }
  return mutant;
}

function mutateOnce(message: Uint8Array, random: Random): Uint8Array {
  if (message.length < HEADER) {
    return resized(message, { length: HEADER, random });
  }
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  switch (random.below(9)) {
    case 0:
      message[random.below(message.length)] = random.pick([
        0,
        1,
        0x7f,
        0x80,
        0xff,
        random.below(256),
      ]);
      return message;
    case 1:
      return resized(message, {
        length: random.below(message.length + 1),
        random,
      });
    case 2:
      return resized(message, {
        length: message.length + random.below(64),
        random,
      });
    case 3:
      view.setUint32(
        0,
        random.pick([0, HEADER, message.length - 1, random.u32()]),
        true,
      );
      return message;
    case 4:
      view.setUint32(
        4,
        random.pick([
          random.pick(OTHER_OPCODES),
          random.below(60),
          random.u32(),
        ]),
        true,
      );
      return message;
    case 5:
      view.setBigUint64(16, forgedNode(random), true);
      return message;
    case 6:
      view.setBigUint64(8, random.u64(), true);
      return message;
    default:
      return changeField(message, { view, random });
  }
}

function forgedNode(random: Random): bigint {
  const near = BigInt(random.below(10));
  return random.pick([near, 990n + near, 1020n + near * 40n, random.u64()]);
}

/** A number of 8 or 4 bytes where a structure may have one. */
function changeField(
  message: Uint8Array,
  { view, random }: { view: DataView; random: Random },
): Uint8Array {
  const room = message.length - HEADER;
  if (room < 8) return message;
  const at = HEADER + 4 * random.below(Math.floor(Math.min(room, 96) / 4) - 1);
  if (random.chance(50)) view.setBigUint64(at, random.u64(), true);
  else view.setUint32(at, Number(BigInt.asUintN(32, random.u64())), true);
  return message;
}

function resized(
  message: Uint8Array,
  { length, random }: { length: number; random: Random },
): Uint8Array {
  const other = new Uint8Array(length);
  other.set(message.subarray(0, length));
  if (length >= 4 && random.chance(75)) {
    new DataView(other.buffer).setUint32(0, length, true);
  }
  return other;
}
