import { constants } from "node:os";

/** The names of Linux's error numbers, as in `errno.h`. */
export type ErrnoName = keyof typeof constants.errno;

/**
 * A filesystem's handler throws this to refuse a request. Anything else that a handler throws is a bug: it is
 * logged and reaches the caller as EIO.
 *
 * @example `throw new Errno("ENOENT");`
 */
export class Errno extends Error {
  override name = "Errno";
  readonly code: string;
  /** The positive number, as in `errno.h`. */
  readonly errno: number;

  constructor(code: ErrnoName) {
    super(code);
    this.code = code;
    this.errno = constants.errno[code];
  }
}

/** `EIO` for 5; for debug lines. */
export function errnoName(errno: number): string {
  for (const [name, value] of Object.entries(constants.errno)) if (value === errno) return name;
  return `errno ${errno}`;
}
