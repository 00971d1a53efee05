/**
 * The FUSE protocol's numbers: versions, opcodes, flags and ioctls, under the kernel's names, from
 * `include/uapi/linux/fuse.h`.
 */

export const FUSE_KERNEL_VERSION = 7;
/** The newest minor version whose structures are declared here. */
export const FUSE_KERNEL_MINOR_VERSION = 45;
/** The oldest minor version that is served: Linux 5.4. */
export const FUSE_OLDEST_MINOR_VERSION = 31;
export const FUSE_ROOT_ID = 1;
export const FUSE_MIN_READ_BUFFER = 8192;

/** `enum fuse_opcode`. */
export const FUSE_OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  BATCH_FORGET: 42,
  READDIRPLUS: 44,
  RENAME2: 45,
  TMPFILE: 51,
} as const;

/** `enum fuse_notify_code`. */
export const FUSE_NOTIFY = { INVAL_INODE: 2, INVAL_ENTRY: 3, STORE: 4 } as const;

// INIT flags
export const FUSE_ASYNC_READ = 1 << 0;
export const FUSE_ATOMIC_O_TRUNC = 1 << 3;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_DO_READDIRPLUS = 1 << 13;
export const FUSE_READDIRPLUS_AUTO = 1 << 14;
export const FUSE_PARALLEL_DIROPS = 1 << 18;
export const FUSE_ABORT_ERROR = 1 << 21;
export const FUSE_MAX_PAGES = 1 << 22;
export const FUSE_CACHE_SYMLINKS = 1 << 23;
export const FUSE_EXPLICIT_INVAL_DATA = 1 << 25;
/** `flags2` follows, in either direction: bits 32 and up of the flags. */
export const FUSE_INIT_EXT = 1 << 30;
/** Bit 5 of `flags2`. Offered by Linux 6.9 and newer that are built with CONFIG_FUSE_PASSTHROUGH. */
export const FUSE_PASSTHROUGH = 2 ** 37;
/** Bit 4 of `flags2`. Offered by Linux 6.6 and newer: files of FOPEN_DIRECT_IO may be mapped, shared. */
export const FUSE_DIRECT_IO_ALLOW_MMAP = 2 ** 36;

export const FUSE_GETATTR_FH = 1 << 0;
export const FUSE_WRITE_CACHE = 1 << 0;
/** Of `fuse_read_in.read_flags`; READs for the page cache do not have it (`fuse_send_read`). */
export const FUSE_READ_LOCKOWNER = 1 << 1;
export const FUSE_IOCTL_COMPAT = 1 << 0;
export const FUSE_IOCTL_DIR = 1 << 4;

// fuse_setattr_in.valid
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_CTIME = 1 << 10;

// fuse_open_out.open_flags
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_KEEP_CACHE = 1 << 1;
export const FOPEN_NONSEEKABLE = 1 << 2;
export const FOPEN_CACHE_DIR = 1 << 3;
export const FOPEN_STREAM = 1 << 4;
export const FOPEN_PASSTHROUGH = 1 << 7;

// ioctl(2) on the device itself
export const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
export const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;
