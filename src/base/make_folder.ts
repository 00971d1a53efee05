import { chmod, lstat, mkdir } from "node:fs/promises";

/**
 * Makes a folder with these permissions, whatever the umask, in one that is there. One that this user has
 * made before is given them, too.
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
