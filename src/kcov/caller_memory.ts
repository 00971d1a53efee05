import { open } from "node:fs/promises";

/**
 * Reads the memory of a thread that waits for us in a system call; undefined where it cannot be read
 * whole. Not on the thread that serves: the memory may be a mapping of our own file, for which the
 * kernel then asks us.
 */
export async function readMemory(
  tid: number,
  range: { at: bigint; size: number },
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(range.size);
  try {
    await using file = await open(`/proc/${tid}/mem`, "r");
    for (let done = 0; done < range.size;) {
      const position = Number(range.at) + done;
      const { bytesRead } = await file.read(bytes, { offset: done, position });
      if (bytesRead === 0) return undefined;
      done += bytesRead;
    }
    return bytes;
  } catch {
    return undefined;
  }
}
