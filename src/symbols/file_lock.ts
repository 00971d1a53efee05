import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";

/** `flock(2)`, which Node does not have; resolved at first use. */
let flock: ((fd: number, operation: number) => number) | undefined;

const LOCK_EX = 2;
const LOCK_UN = 8;

/**
 * Runs `work` while this process alone holds the lock of an open file; waits for the lock if necessary.
 *
 * @throws when the file cannot be locked, as on some network filesystems.
 */
export function withFileLock<T>(fd: number, work: () => T): T {
  flock ??= koffi.load(null).func("int flock(int fd, int operation)");
  while (flock!(fd, LOCK_EX) !== 0) {
    // A signal interrupts the call; then it is repeated.
    const errno = koffi.errno();
    if (errno !== constants.errno.EINTR) {
      throw new Error(`Cannot lock a file: ${getSystemErrorName(-errno)}`);
    }
  }
  try {
    return work();
  } finally {
    flock!(fd, LOCK_UN);
  }
}
