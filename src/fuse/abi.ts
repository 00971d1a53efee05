/**
 * The FUSE protocol's numbers (versions, opcodes, flags, ioctls) and structures, under the kernel's names, from
 * `include/uapi/linux/fuse.h` (7.31, Linux 5.4, to 7.45, Linux 6.18).
 */
import { type FileHandle, type NodeId, nodeId, type Unique } from "./ids.ts";
import { type Decoded, naming, padding, struct } from "./wire.ts";

const NODE_ID = naming<NodeId>();
const FILE_HANDLE = naming<FileHandle>();
const UNIQUE = naming<Unique>();

export const FUSE_KERNEL_VERSION = 7;
/** The newest minor version whose structures are declared here. */
export const FUSE_KERNEL_MINOR_VERSION = 45;
/** The oldest minor version that is served: Linux 5.4. */
export const FUSE_OLDEST_MINOR_VERSION = 31;
export const FUSE_ROOT_ID = nodeId(1);
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

export const fuse_in_header = struct("fuse_in_header", {
  len: "u32",
  opcode: "u32",
  unique: UNIQUE,
  nodeid: NODE_ID,
  uid: "u32",
  gid: "u32",
  pid: "u32",
  total_extlen: "u16",
  padding: padding(2),
});
export type FuseInHeader = Decoded<typeof fuse_in_header>;

export const fuse_out_header = struct("fuse_out_header", {
  len: "u32",
  error: "i32",
  unique: UNIQUE,
});

export const fuse_attr = struct("fuse_attr", {
  ino: "u53",
  size: "u53",
  blocks: "u53",
  atime: "u53",
  mtime: "u53",
  ctime: "u53",
  atimensec: "u32",
  mtimensec: "u32",
  ctimensec: "u32",
  mode: "u32",
  nlink: "u32",
  uid: "u32",
  gid: "u32",
  rdev: "u32",
  blksize: "u32",
  flags: "u32",
});
export type FuseAttr = Decoded<typeof fuse_attr>;

export const fuse_entry_out = struct("fuse_entry_out", {
  nodeid: NODE_ID,
  generation: "u53",
  entry_valid: "u53",
  attr_valid: "u53",
  entry_valid_nsec: "u32",
  attr_valid_nsec: "u32",
  attr: fuse_attr,
});
export type FuseEntryOut = Decoded<typeof fuse_entry_out>;

export const fuse_attr_out = struct("fuse_attr_out", {
  attr_valid: "u53",
  attr_valid_nsec: "u32",
  dummy: padding(4),
  attr: fuse_attr,
});
export type FuseAttrOut = Decoded<typeof fuse_attr_out>;

export const fuse_forget_in = struct("fuse_forget_in", { nlookup: "u53" });
export const fuse_forget_one = struct("fuse_forget_one", { nodeid: NODE_ID, nlookup: "u53" });
export const fuse_batch_forget_in = struct("fuse_batch_forget_in", {
  count: "u32",
  dummy: padding(4),
});

export const fuse_getattr_in = struct("fuse_getattr_in", {
  getattr_flags: "u32",
  dummy: padding(4),
  fh: FILE_HANDLE,
});

export const fuse_setattr_in = struct("fuse_setattr_in", {
  valid: "u32",
  padding: padding(4),
  fh: FILE_HANDLE,
  size: "u64",
  lock_owner: "u64",
  atime: "u64",
  mtime: "u64",
  ctime: "u64",
  atimensec: "u32",
  mtimensec: "u32",
  ctimensec: "u32",
  mode: "u32",
  unused4: padding(4),
  uid: "u32",
  gid: "u32",
  unused5: padding(4),
});

export const fuse_open_in = struct("fuse_open_in", { flags: "u32", open_flags: "u32" });
export const fuse_open_out = struct("fuse_open_out", {
  fh: FILE_HANDLE,
  open_flags: "u32",
  backing_id: "i32",
});
/** `backing_id` names the file behind an FOPEN_PASSTHROUGH file; without the flag it has no meaning. */
export type FuseOpenOut =
  & Omit<Decoded<typeof fuse_open_out>, "backing_id">
  & Partial<Pick<Decoded<typeof fuse_open_out>, "backing_id">>;

export const fuse_release_in = struct("fuse_release_in", {
  fh: FILE_HANDLE,
  flags: "u32",
  release_flags: "u32",
  lock_owner: "u64",
});

export const fuse_flush_in = struct("fuse_flush_in", {
  fh: FILE_HANDLE,
  unused: padding(8),
  lock_owner: "u64",
});

export const fuse_read_in = struct("fuse_read_in", {
  fh: FILE_HANDLE,
  offset: "u53",
  size: "u32",
  read_flags: "u32",
  lock_owner: padding(8),
  flags: "u32",
  padding: padding(4),
});
export type FuseReadIn = Decoded<typeof fuse_read_in>;

export const fuse_write_in = struct("fuse_write_in", {
  fh: FILE_HANDLE,
  offset: "u53",
  size: "u32",
  write_flags: "u32",
  lock_owner: padding(8),
  flags: "u32",
  padding: padding(4),
});
export type FuseWriteIn = Decoded<typeof fuse_write_in>;
export const fuse_write_out = struct("fuse_write_out", { size: "u32", padding: padding(4) });

export const fuse_statfs_out = struct("fuse_statfs_out", {
  blocks: "u53",
  bfree: "u53",
  bavail: "u53",
  files: "u53",
  ffree: "u53",
  bsize: "u32",
  namelen: "u32",
  frsize: "u32",
  padding: padding(28),
});

export const fuse_fsync_in = struct("fuse_fsync_in", {
  fh: FILE_HANDLE,
  fsync_flags: "u32",
  padding: padding(4),
});

export const fuse_access_in = struct("fuse_access_in", { mask: "u32", padding: padding(4) });
export const fuse_interrupt_in = struct("fuse_interrupt_in", { unique: UNIQUE });

/**
 * In the kernel's layout up to 7.35. From 7.36 on, if FUSE_INIT_EXT is set, `flags2` and 44 unused
 * bytes follow.
 */
export const fuse_init_in = struct("fuse_init_in", {
  major: "u32",
  minor: "u32",
  max_readahead: "u32",
  flags: "u32",
});

/**
 * The layout since 7.28. Later minor versions only gave names to former padding: `flags2` is 7.36's,
 * `max_stack_depth` 7.40's.
 */
export const fuse_init_out = struct("fuse_init_out", {
  major: "u32",
  minor: "u32",
  max_readahead: "u32",
  flags: "u32",
  max_background: "u16",
  congestion_threshold: "u16",
  max_write: "u32",
  time_gran: "u32",
  max_pages: "u16",
  map_alignment: "u16",
  flags2: "u32",
  max_stack_depth: "u32",
  unused: padding(24),
});
export type FuseInitOut = Decoded<typeof fuse_init_out>;

export const fuse_ioctl_in = struct("fuse_ioctl_in", {
  fh: FILE_HANDLE,
  flags: "u32",
  cmd: "u32",
  arg: "u64",
  in_size: "u32",
  out_size: "u32",
});
export const fuse_ioctl_out = struct("fuse_ioctl_out", {
  result: "i32",
  flags: "u32",
  in_iovs: "u32",
  out_iovs: "u32",
});

/** One entry of READDIR's reply; its name and zeros up to a multiple of 8 bytes follow. */
export const fuse_dirent = struct("fuse_dirent", {
  ino: "u53",
  off: "u53",
  namelen: "u32",
  type: "u32",
});

export const fuse_notify_inval_inode_out = struct("fuse_notify_inval_inode_out", {
  ino: "u53",
  off: "u53",
  len: "u53",
});
export const fuse_notify_inval_entry_out = struct("fuse_notify_inval_entry_out", {
  parent: "u53",
  namelen: "u32",
  flags: "u32",
});
export const fuse_notify_store_out = struct("fuse_notify_store_out", {
  nodeid: NODE_ID,
  offset: "u53",
  size: "u32",
  padding: padding(4),
});

/** The argument of FUSE_DEV_IOC_BACKING_OPEN; that of FUSE_DEV_IOC_BACKING_CLOSE is the u32 it returned. */
export const fuse_backing_map = struct("fuse_backing_map", {
  fd: "i32",
  flags: "u32",
  padding: padding(8),
});
