import { chmod, lstat, mkdir } from "node:fs/promises";

/**
 * Makes a folder with these permissions, whatever the umask, in a folder that exists. A folder that this user
 * has made before gets them, too.
 */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const stats = await lstat(folder);
  const isOurs = stats.isDirectory() && stats.uid === process.geteuid!();
  if (isOurs && (stats.mode & 0o7777) !== mode) await chmod(folder, mode);
}
