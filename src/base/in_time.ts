/** Nothing came in time. */
export class LateError extends Error {
  override name = "LateError";
}

/**
 * Waits for an answer for a limited time.
 *
 * @param options `reason`: the error's message.
 * @throws {LateError} when nothing has come within that many ms.
 */
export async function inTime<T>(
  answer: Promise<T>,
  ms: number,
  options: { reason?: string } = {},
): Promise<T> {
  const { reason = `no answer within ${ms} ms` } = options;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(reason)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
