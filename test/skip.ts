/** Tests that cannot run on every machine. */

/**
 * Makes uvu count a test as skipped, and prints why; `run.ts` lists these lines.
 *
 * @param reason What the machine lacks.
 */
export function skip(
  suite: { readonly skip: (name?: string) => void },
  { sentence, reason }: { readonly sentence: string; readonly reason: string },
): void {
  suite.skip(sentence);
  process.stdout.write(`SKIPPED ${sentence}: ${reason}\n`);
}
