/** The answers that a session with kcov's tree may give, derived from the messages alone. */
import { constants } from "node:os";
import { HEADER } from "./fuse_requests.ts";

const { EACCES, EBADF, EBUSY, EEXIST, EINVAL, EIO, EISDIR, ENOENT } = constants.errno;
const { ENOSYS, ENOTDIR, ENOTTY, EPERM, EPROTO, ESTALE, EFAULT, EAGAIN } = constants.errno;
const { EROFS, EOPNOTSUPP, EFBIG, EOVERFLOW, ENXIO } = constants.errno;
const ENOTSUPP = 524;

/** The possible outcomes of a message. */
export interface Expected {
  readonly unique: bigint;
  readonly opcode: number;
  /** How many answers, at least and at most. */
  readonly answers: readonly [number, number];
  /** Undefined: any that the kernel takes. */
  readonly errnos?: readonly number[] | undefined;
  /** Lines in the log, at most. */
  readonly warnings: number;
  /** Says what is wrong with the bytes behind the header of an answer without an error. */
  readonly fault?: (body: DataView) => string | undefined;
}

/** Of the session: before INIT, after it, after DESTROY. */
type Phase = "new" | "started" | "over";

/** Bytes that a request must have behind its header; READLINK, STATFS and DESTROY have none. */
const NEEDED: Record<number, number> = {
  ...{
    1: 1,
    2: 8,
    3: 16,
    4: 88,
    5: 0,
    14: 8,
    15: 40,
    16: 40,
    17: 0,
    18: 24,
    20: 16,
    25: 24,
  },
  ...{
    26: 16,
    27: 8,
    28: 40,
    29: 24,
    30: 16,
    34: 8,
    36: 8,
    38: 0,
    39: 32,
    42: 8,
    44: 40,
  },
};
/** The offsets of numbers in a request that must not be above 2^53. */
const SAFE: Record<number, readonly number[]> = {
  ...{
    2: [0],
    3: [8],
    4: [8],
    15: [0, 8],
    16: [0, 8],
    18: [0],
    20: [0],
    25: [0],
  },
  ...{ 28: [0, 8], 29: [0], 30: [0], 36: [0], 39: [0], 44: [0, 8] },
};
/** From SYMLINK to TMPFILE: requests that would change the tree, by opcode. */
const TREE_CHANGES: ReadonlySet<number> = new Set([6, 8, 9, 10, 11, 12, 13, 21, 24, 35, 45, 51]);
/** FORGET, INTERRUPT, NOTIFY_REPLY, BATCH_FORGET. */
const UNANSWERED: ReadonlySet<number> = new Set([2, 36, 41, 42]);
/** The last opcode of Linux 6.18, apart from CUSE's. */
const LAST_OPCODE = 52;
const GONE = [ENOENT, ESTALE, EBADF];
const ROOT = 1;
const FIRST = 1001;
const DIRECTORIES = [ROOT, 2, 4];
const LINK = 3;
const TEXTS = [5, 6];
const FIXED = [...DIRECTORIES, LINK, ...TEXTS];

/** Reads messages by itself, without our code. */
export class Model {
  phase: Phase = "new";
  /** Node ids that were handed out and not forgotten. */
  readonly known = new Set<number>();
  readonly open = new Set<number>();
  /** Instances with an area. An instance that was opened anew has none. */
  readonly initialized = new Set<number>();
  next = FIRST;
  /** Handles of texts that may be open. */
  nextHandle = 1;

  expect(message: Uint8Array): Expected {
    const view = new DataView(
      message.buffer,
      message.byteOffset,
      message.length,
    );
    if (message.length < HEADER) {
      return { unique: -1n, opcode: -1, answers: [0, 0], warnings: 1 };
    }
    const opcode = view.getUint32(4, true);
    const unique = view.getBigUint64(8, true);
    const node = view.getBigUint64(16, true);
    const answer = UNANSWERED.has(opcode) ? 0 : 1;
    // Whether an INTERRUPT finds its request is a matter of time.
    const answers = opcode === 36 ? [0, 1] as const : [answer, answer] as const;
    const all = { unique, opcode, answers };
    if (unique >> 53n || node >> 53n) {
      return { ...all, errnos: [EIO, EINVAL, ...GONE], warnings: 0 };
    }
    const needed = NEEDED[opcode];
    if (TREE_CHANGES.has(opcode) && view.getUint32(0, true) !== message.length) {
      return { ...all, errnos: [EIO], warnings: 1 };
    }
    if (needed === undefined) {
      return { ...all, errnos: refusals(opcode), warnings: 0 };
    }
    const isShort = !isWhole(view, { opcode, needed });
    if (view.getUint32(0, true) !== message.length || isShort) {
      return { ...all, errnos: [EIO, EINVAL], warnings: 1 };
    }
    if (
      SAFE[opcode]?.some((at) => view.getBigUint64(HEADER + at, true) >> 53n)
    ) {
      return {
        ...all,
        errnos: [EINVAL, EIO, EFBIG, EOVERFLOW, ENXIO, ...GONE],
        warnings: 0,
      };
    }
    if (opcode === 26) return { ...all, ...this.#init(view) };
    if (opcode === 36) return { ...all, errnos: [EAGAIN], warnings: 0 };
    if (answer === 1 && this.phase !== "started") {
      return { ...all, errnos: [EIO], warnings: 0 };
    }
    return { ...all, warnings: 0, ...this.#take(opcode, view) };
  }

  #init(view: DataView): Pick<Expected, "errnos" | "warnings" | "fault"> {
    if (this.phase !== "new") return { errnos: [EIO], warnings: 0 };
    const major = view.getUint32(HEADER, true);
    const minor = view.getUint32(HEADER + 4, true);
    if (major < 7 || major === 7 && minor < 31) {
      return { errnos: [EPROTO], warnings: 1 };
    }
    if (major === 7) this.phase = "started";
    return { errnos: [0], warnings: 0, fault: sized(64) };
  }

  #take(opcode: number, view: DataView): Pick<Expected, "errnos" | "fault"> {
    const node = Number(view.getBigUint64(16, true));
    const isFixed = FIXED.includes(node);
    const isForged = !isFixed && (node < FIRST || node >= this.next);
    switch (opcode) {
      case 1:
        return this.#lookup(view, node);
      case 2:
        this.known.delete(node);
        return {};
      case 42:
        this.#forget(view);
        return {};
      case 38:
        this.phase = "over";
        return { errnos: [0], fault: sized(0) };
      case 3:
        return { errnos: isForged ? GONE : [0, EINVAL], fault: sized(104) };
      case 4:
        return {
          errnos: isForged ? GONE : [0, EINVAL, EPERM],
          fault: sized(104),
        };
      case 5:
        return { errnos: node === LINK ? [0] : [EINVAL, ...GONE] };
      case 14:
        return this.#open(view, { node, isForged });
      case 15:
        return this.#read(view, { node, isForged });
      case 16:
        return this.#write(view, { node, isForged });
      case 17:
        return { errnos: [0], fault: sized(80) };
      case 18:
        return this.#release({ node, isForged });
      case 27:
        return {
          errnos: DIRECTORIES.includes(node) ? [0] : [ENOTDIR, ...GONE, 0],
          fault: sized(16),
        };
      case 28:
      case 44:
        return listing(view, { node, isPlus: opcode === 44 });
      case 39:
        return this.#ioctl(view, { node, isForged });
      default:
        // ACCESS, FLUSH, FSYNC and those of directories do nothing.
        return { errnos: [0, ...GONE, ENOTDIR, ENOSYS], fault: sized(0) };
    }
  }

  #lookup(view: DataView, parent: number): Pick<Expected, "errnos" | "fault"> {
    const bytes = new Uint8Array(
      view.buffer,
      view.byteOffset + HEADER,
      view.byteLength - HEADER,
    );
    const name = Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString(
      "latin1",
    );
    const isInstance = parent === ROOT && name === "kcov" ||
      parent === 4 && name === "api";
    if (!isInstance) {
      return { errnos: [0, ENOENT, ENOTDIR, ESTALE], fault: sized(128) };
    }
    const node = this.next++;
    this.known.add(node);
    return {
      errnos: [0],
      fault: (body) =>
        body.byteLength === 128 && body.getBigUint64(0, true) === BigInt(node)
          ? undefined
          : `it should name node ${node}`,
    };
  }

  #forget(view: DataView): void {
    const count = view.getUint32(HEADER, true);
    if (HEADER + 8 + count * 16 > view.byteLength) return;
    for (let i = 0; i < count; i++) {
      this.known.delete(Number(view.getBigUint64(HEADER + 8 + i * 16, true)));
    }
  }

  #open(
    view: DataView,
    { node, isForged }: { node: number; isForged: boolean },
  ): Pick<Expected, "errnos" | "fault"> {
    if (isForged) return { errnos: GONE };
    if (DIRECTORIES.includes(node)) return { errnos: [EACCES, EISDIR] };
    if (TEXTS.includes(node)) {
      if (view.getUint32(HEADER, true) & 3) return { errnos: [EACCES, EROFS] };
      this.nextHandle++;
      return { errnos: [0], fault: sized(16) };
    }
    if (node === LINK) return { errnos: [EACCES, EINVAL] };
    if (this.open.has(node)) return { errnos: [EBUSY] };
    this.open.add(node);
    this.initialized.delete(node);
    return { errnos: [0], fault: sized(16) };
  }

  #read(
    view: DataView,
    { node, isForged }: { node: number; isForged: boolean },
  ): Pick<Expected, "errnos" | "fault"> {
    const size = view.getUint32(HEADER + 16, true);
    const fault = atMost(size);
    if (isForged) return { errnos: GONE };
    if (DIRECTORIES.includes(node)) {
      return { errnos: [0, EISDIR, EBADF], fault };
    }
    if (FIXED.includes(node)) return { errnos: [0, EBADF, EINVAL], fault };
    // Where areas are files, the file of an instance that is still enabled exists when it is closed.
    if (!this.open.has(node)) {
      return { errnos: [0, EINVAL, EIO, ...GONE], fault };
    }
    return {
      errnos: this.initialized.has(node) ? [0, EINVAL, EIO] : [EINVAL],
      fault,
    };
  }

  #write(
    view: DataView,
    { node, isForged }: { node: number; isForged: boolean },
  ): Pick<Expected, "errnos" | "fault"> {
    const size = view.getUint32(HEADER + 16, true);
    if (isForged) return { errnos: GONE };
    if (FIXED.includes(node)) {
      return { errnos: [EACCES, EINVAL, EBADF, EISDIR, EROFS] };
    }
    const isCached = (view.getUint32(HEADER + 20, true) & 1) !== 0;
    const fault = (body: DataView) =>
      body.byteLength === 8 && body.getUint32(0, true) <= size ? undefined : "more than was given";
    return { errnos: isCached ? [0, EINVAL] : [EINVAL], fault };
  }

  #release(
    { node, isForged }: { node: number; isForged: boolean },
  ): Pick<Expected, "errnos" | "fault"> {
    this.open.delete(node);
    this.initialized.delete(node);
    return { errnos: isForged ? [0, ...GONE] : [0, ...GONE], fault: sized(0) };
  }

  #ioctl(
    view: DataView,
    { node, isForged }: { node: number; isForged: boolean },
  ): Pick<Expected, "errnos" | "fault"> {
    const cmd = view.getUint32(HEADER + 12, true);
    if (isForged) return { errnos: GONE };
    if (FIXED.includes(node)) return { errnos: [ENOTTY] };
    // Not open, or released before its turn: nobody would miss kcov's errno.
    if (!this.open.has(node)) return { errnos: [EIO, ...GONE, ENOTTY, 0] };
    if (cmd === 0x80086301) this.initialized.add(node);
    const results = RESULTS[cmd] ?? [-ENOTTY];
    return {
      errnos: [0],
      fault: (body) => {
        if (body.byteLength !== 16) return `${body.byteLength} bytes`;
        const result = body.getInt32(0, true);
        return [...results, -EIO].includes(result) ? undefined : `result ${result}`;
      },
    };
  }
}

/** By command: what `kcov_ioctl` may return. */
const RESULTS: Record<number, readonly number[]> = {
  0x80086301: [0, -EINVAL, -EBUSY, -constants.errno.ENOMEM],
  0x6364: [0, -EINVAL, -EBUSY, -ENOTSUPP],
  0x6365: [0, -EINVAL],
  0x6368: [0, -EINVAL],
  0x40186366: [0, -EINVAL, -EBUSY, -ENOTSUPP, -EFAULT, -EEXIST],
};

/** Whether the name's end, the data and the lists are there that the structures announce. */
function isWhole(
  view: DataView,
  { opcode, needed }: { opcode: number; needed: number },
): boolean {
  const room = view.byteLength - HEADER;
  if (room < needed) return false;
  const at = HEADER;
  if (opcode === 1) {
    return new Uint8Array(view.buffer, view.byteOffset + at, room).includes(0);
  }
  if (opcode === 16) return room >= 40 + view.getUint32(at + 16, true);
  if (opcode === 39) return room >= 32 + view.getUint32(at + 24, true);
  if (opcode === 42) return room >= 8 + 16 * view.getUint32(at, true);
  const isExtended = opcode === 26 &&
    (view.getUint32(at + 12, true) & 1 << 30) !== 0;
  return !isExtended || room >= 20;
}

/**
 * An opcode without a row: the kernel may learn once and for all that it is missing, or that a tree is read
 * only.
 */
function refusals(opcode: number): readonly number[] {
  if (opcode > LAST_OPCODE || opcode === 0) return [ENOSYS];
  return [
    ENOSYS,
    EROFS,
    EPERM,
    EOPNOTSUPP,
    ENOTTY,
    EINVAL,
    ENXIO,
    ...GONE,
    EIO,
    EACCES,
    0,
  ];
}

function sized(bytes: number): (body: DataView) => string | undefined {
  return ({ byteLength }) => byteLength === bytes ? undefined : `${byteLength} bytes, not ${bytes}`;
}

function atMost(bytes: number): (body: DataView) => string | undefined {
  return ({ byteLength }) =>
    byteLength <= bytes ? undefined : `${byteLength} bytes, above ${bytes}`;
}

function listing(
  view: DataView,
  { node, isPlus }: { node: number; isPlus: boolean },
): Pick<Expected, "errnos" | "fault"> {
  const size = view.getUint32(HEADER + 16, true);
  if (!DIRECTORIES.includes(node)) return { errnos: [ENOTDIR, ...GONE] };
  return {
    errnos: [0],
    fault(body) {
      if (body.byteLength > size) {
        return `${body.byteLength} bytes, above ${size}`;
      }
      const head = isPlus ? 128 : 0;
      for (let at = 0; at < body.byteLength;) {
        if (at + head + 24 > body.byteLength) {
          return "an entry that is cut short";
        }
        at += head + (24 + body.getUint32(at + head + 16, true) + 7 & ~7);
        if (at > body.byteLength) return "a name that is cut short";
      }
      return undefined;
    },
  };
}
