/**
 * What is said of a thing that was looked at: `fault` when kcovfs cannot do without it, `advice` when it
 * can, `skipped` when it could not be looked at for want of another.
 */
export type Verdict = "ok" | "fault" | "advice" | "skipped";

/** One thing of this machine. */
export interface Finding {
  readonly name: string;
  readonly verdict: Verdict;
  /** A line, without the name. */
  readonly detail: string;
  /** The command that mends it, or what to do where no command does. */
  readonly remedy?: string;
}
