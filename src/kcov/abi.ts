/**
 * kcov's ioctls and constants under the kernel's names, from `include/uapi/linux/kcov.h` (Linux 6.18).
 */

/** Takes the area's size in words, by value. */
export const KCOV_INIT_TRACE = 0x80086301;
/** Takes a mode: {@linkcode KCOV_TRACE_PC}, {@linkcode KCOV_TRACE_CMP} or {@linkcode KCOV_TRACE_FOLDED}. */
export const KCOV_ENABLE = 0x6364;
export const KCOV_DISABLE = 0x6365;
/** Takes a pointer to a `struct kcov_remote_arg`. */
export const KCOV_REMOTE_ENABLE = 0x40186366;
export const KCOV_RESET_TRACE = 0x6368;

export const KCOV_TRACE_PC = 0n;
export const KCOV_TRACE_CMP = 1n;
/** No mode of the kernel's, which counts them up from 0: what kcovfs adds to one. See `docs/folding.md`. */
export const KCOV_FOLD = 0x40000000n;
export const KCOV_TRACE_FOLDED = KCOV_TRACE_PC | KCOV_FOLD;

/** The most handles that a `struct kcov_remote_arg` may bring. */
export const KCOV_REMOTE_MAX_HANDLES = 256;
/**
 * Offsets in bytes in `struct kcov_remote_arg`; its last member is the handles, 64 bits each. Its
 * `area_size` at 4 has no effect: the kernel refuses only values above `LONG_MAX / 8`, which 32 bits cannot
 * reach.
 */
export const KCOV_REMOTE_ARG = {
  trace_mode: 0,
  num_handles: 8,
  common_handle: 16,
  handles: 24,
} as const;
/** A handle's upper byte names a subsystem, its lower half an instance in it; between them are zeros. */
export const KCOV_SUBSYSTEM_COMMON = 0x00n << 56n;
export const KCOV_SUBSYSTEM_USB = 0x01n << 56n;
export const KCOV_SUBSYSTEM_MASK = 0xffn << 56n;
export const KCOV_INSTANCE_MASK = 0xffffffffn;

/** Linux's errno for features that the kernel was built without; `errno.h` of user space does not have it. */
export const ENOTSUPP = 524;

/** Words of the largest area: `INT_MAX / sizeof(unsigned long)`, in `kcov_ioctl`. */
export const MAX_WORDS = BigInt(Math.floor(0x7fffffff / 8));

/** Bytes of a word of the area: an `unsigned long`. */
export const WORD_SIZE = 8;
/** The page size of the machines that kcovfs runs on. */
export const PAGE_SIZE = 4096;
export const WORDS_PER_PAGE = PAGE_SIZE / WORD_SIZE;
/** Words of a comparison's record: `kernel/kcov.c`. */
export const KCOV_WORDS_PER_CMP = 4;

/** The upper half of every PC; see `symbols/pc_space.ts` for the lower. */
export const PC_HIGH = 0xffffffff;
