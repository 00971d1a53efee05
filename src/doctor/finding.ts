/**
 * The verdict on a thing: `fault` when kcovfs cannot do without it, `advice` when it can, `skipped` when the
 * thing could not be examined because another is missing.
 */
export type Verdict = "ok" | "fault" | "advice" | "skipped";

/** The result for one thing of this machine. */
export interface Finding {
  readonly name: string;
  readonly verdict: Verdict;
  /** A line, without the name. */
  readonly detail: string;
  /** The command that mends it, or advice where no command does. */
  readonly remedy?: string;
}
