import { openSync, unlinkSync } from "node:fs";

/**
 * Opens the FIFO that the server has made for an isolate, and removes its name. The folder is the server's:
 * if the server runs as another user, the name stays until the connection ends, and the server removes it.
 *
 * @returns the descriptor, for reading and writing.
 */
export function openOwnPipe(path: string): number {
  const fd = openSync(path, "r+");
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
  }
  return fd;
}
