/** How many inputs are tried at most. */
const MOST_TRIES = 2000;

/**
 * Makes an input shorter, and its bytes plain, as long as it stays what it is.
 *
 * @param isSame Whether another input has the same cause.
 * @param most How many inputs may be tried.
 */
export async function minimize(
  input: Uint8Array,
  isSame: (input: Uint8Array) => Promise<boolean>,
  most = MOST_TRIES,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const attempt = async (candidate: Uint8Array) => {
    if (tries++ >= most || !await isSame(candidate)) return false;
    best = candidate;
    return true;
  };
  // Parts are left out, each half as long as the ones before, until no single byte can be.
  for (let part = Math.ceil(best.length / 2); part >= 1;) {
    let isShorter = false;
    for (let at = 0; at < best.length;) {
      const rest = Buffer.concat([best.subarray(0, at), best.subarray(at + part)]);
      if (await attempt(rest)) isShorter = true;
      else at += part;
    }
    if (part === 1 && (!isShorter || tries >= most)) break;
    part = Math.max(1, part >> 1);
  }
  for (let at = 0; at < best.length; at++) {
    if (best[at] === PLAIN) continue;
    const plain = Buffer.from(best);
    plain[at] = PLAIN;
    await attempt(plain);
  }
  return best;
}

const PLAIN = 0x30;
