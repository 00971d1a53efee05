/**
 * kcov's ioctls and constants under the kernel's names, from `include/uapi/linux/kcov.h` (Linux 6.18).
 */

/** Takes the area's size in words, by value. */
export const KCOV_INIT_TRACE = 0x80086301;
/** Takes a mode: {@linkcode KCOV_TRACE_PC} or {@linkcode KCOV_TRACE_CMP}. */
export const KCOV_ENABLE = 0x6364;
export const KCOV_DISABLE = 0x6365;
/** Takes a pointer to a `struct kcov_remote_arg`. */
export const KCOV_REMOTE_ENABLE = 0x40186366;
export const KCOV_RESET_TRACE = 0x6368;

export const KCOV_TRACE_PC = 0n;
export const KCOV_TRACE_CMP = 1n;

/** Linux's errno for what the kernel was built without; `errno.h` of user space does not have it. */
export const ENOTSUPP = 524;

/** Words of the largest area: `INT_MAX / sizeof(unsigned long)`, in `kcov_ioctl`. */
export const MAX_WORDS = BigInt(Math.floor(0x7fffffff / 8));

/** Bytes of a word of the area: an `unsigned long`. */
export const WORD_SIZE = 8;
/** The page size of the machines that kcovfs runs on. */
export const PAGE_SIZE = 4096;
export const WORDS_PER_PAGE = PAGE_SIZE / WORD_SIZE;

/** The upper half of every PC; see `coverage/pc_space.ts` for the lower. */
export const PC_HIGH = 0xffffffff;
