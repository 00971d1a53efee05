/** The exit status when the command line makes no sense. */
export const USAGE = 2;

/**
 * An error that a user can mend. The message is one line that says what failed, on what, and what to do next.
 * Any other error is a fault of this program.
 */
export class UserError extends Error {
  override name = "UserError";
  /** The exit status of a command that fails by it. */
  readonly status: number;

  /** @param options `status`: 1, unless given; {@linkcode USAGE} where the command line makes no sense. */
  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    const { status = 1, ...rest } = options;
    super(message, rest);
    this.status = status;
  }
}
