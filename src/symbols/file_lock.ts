import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import koffi from "koffi";

/** `flock(2)`, of which Node has nothing; resolved at first use. */
let flock: ((fd: number, operation: number) => number) | undefined;

const LOCK_EX = 2;
const LOCK_UN = 8;

/**
 * Runs `work` while this process alone holds the lock of an open file; waits for it if need be.
 *
 * @throws when the file cannot be locked, as on some network filesystems.
 */
export function withFileLock<T>(fd: number, work: () => T): T {
  flock ??= koffi.load(null).func("int flock(int fd, int operation)");
  while (flock!(fd, LOCK_EX) !== 0) {
    // Interrupted by a signal it returns early, and is called again.
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
