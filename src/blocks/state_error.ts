const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left in the state folder",
  EDQUOT: "the disk quota of the state folder is used up",
  EROFS: "the state folder is read-only",
  EIO: "the disk of the state folder fails",
  EACCES: "the state folder may not be written",
  EPERM: "the state folder may not be written",
  EFBIG: "the symbol table may not be longer",
  EMFILE: "the server has too many open files",
  ENFILE: "the machine has too many open files",
};

/** A script has no PCs for a reason that may pass: it is to be tried again. */
export class StateError extends Error {
  override name = "StateError";
}

/** Runs what writes the state folder. @throws {StateError} in place of errors that may pass. */
export function inState<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    // That of a full PC space stays.
    if (error instanceof RangeError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new StateError(REASONS[code] ?? message, { cause: error });
  }
}
