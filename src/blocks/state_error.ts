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

/** ms after which a script that could get no PCs is tried again, unless an error says another time. */
const RETRY = 1000;

/** A script has no PCs for a reason that may pass: try it again. */
export class StateError extends Error {
  override name = "StateError";
  /** ms after which to try again. */
  readonly retry: number;

  constructor(
    message: string,
    { retry = RETRY, ...options }: ErrorOptions & { retry?: number } = {},
  ) {
    super(message, options);
    this.retry = retry;
  }
}

/** Whether a file could not be opened because no descriptor is left. */
export function isOutOfFiles(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EMFILE" || code === "ENFILE";
}

/** An error that may pass, in words for the user. */
export function stateError(error: unknown): StateError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new StateError(REASONS[code] ?? message, { cause: error });
}

/** Runs code that writes the state folder. @throws {StateError} in place of errors that may pass. */
export function inState<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    // A `RangeError` says that the PC space is full: that does not pass.
    throw error instanceof RangeError ? error : stateError(error);
  }
}
