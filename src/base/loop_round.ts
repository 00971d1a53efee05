/**
 * Resolves when the event loop has gone round once: `close` of whatever was destroyed has been told by then,
 * which Node does after `setImmediate`.
 */
export async function loopRound(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
