/** ms to wait for a condition: the machine may be busy. */
const PATIENCE = 60_000;
/** ms between two looks. */
const PERIOD = 2;

/**
 * Waits until a condition holds that nobody reports.
 *
 * @param what The error's text when the condition has not come about within a minute.
 */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what = String(isSo),
): Promise<void> {
  for (const end = performance.now() + PATIENCE; !await isSo();) {
    if (performance.now() > end) throw new Error(`It has not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}
