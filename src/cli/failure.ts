/** What a user can mend: `message` is one line that says what failed, on what, and what to do next. */
export class Failure extends Error {
  override name = "Failure";
}
