/** What a user can mend: `message` is one line that says what failed, on what, and what to do next. */
export class Failure extends Error {
  override name = "Failure";
  /** The exit status that it leads to. */
  readonly status: number;

  constructor(message: string, { status = 1 }: { status?: number } = {}) {
    super(message);
    this.status = status;
  }
}
