/**
 * Resolves when the event loop has gone round once. Node emits `close` of a destroyed object after
 * `setImmediate`; by then it has been emitted.
 */
export async function loopRound(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
