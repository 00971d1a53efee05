import * as fs from "node:fs/promises";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { type Pipeline, withMap } from "./pipeline.ts";
import { withPrelude } from "./standalone.ts";
import type { Reporter } from "../base/reporter.ts";

export interface InstrumentFilesOptions {
  readonly pipeline: Pipeline;
  /** Whether the script of a URL gets probes. */
  readonly isMeasured: (url: string) => boolean;
  readonly reporter: Reporter;
}

/** The results. */
export interface InstrumentedFiles {
  /** Files with probes, and their blocks. */
  scripts: number;
  blocks: number;
  /** Files that were copied as they are. */
  copied: number;
}

const SCRIPT = /\.[cm]?js$/;

/**
 * Writes a file or a folder anew: its scripts with probes, everything else as it is.
 *
 * @param to Must not be within `from`.
 * @throws when a file cannot be read or written.
 */
export async function instrumentFiles(
  { from, to }: { from: string; to: string },
  options: InstrumentFilesOptions,
): Promise<InstrumentedFiles> {
  const done: InstrumentedFiles = { scripts: 0, blocks: 0, copied: 0 };
  if (!(await fs.stat(from)).isDirectory()) {
    await fs.mkdir(path.dirname(path.resolve(to)), { recursive: true });
    await instrumentFile({ from, to }, { ...options, done });
    return done;
  }
  await fs.mkdir(to, { recursive: true });
  for (const entry of await fs.readdir(from, { recursive: true, withFileTypes: true })) {
    const source = path.join(entry.parentPath, entry.name);
    const target = path.join(to, path.relative(from, source));
    await fs.mkdir(entry.isDirectory() ? target : path.dirname(target), { recursive: true });
    if (entry.isFile() && SCRIPT.test(entry.name)) {
      await instrumentFile({ from: source, to: target }, { ...options, done });
    } else if (!entry.isDirectory()) {
      await fs.cp(source, target, { verbatimSymlinks: true, force: true });
      done.copied++;
    }
  }
  return done;
}

async function instrumentFile(
  { from, to }: { from: string; to: string },
  { pipeline, isMeasured, reporter, done }: InstrumentFilesOptions & { done: InstrumentedFiles },
): Promise<void> {
  const url = pathToFileURL(await fs.realpath(from)).href;
  if (isMeasured(url)) {
    try {
      const probed = await pipeline.probe({ url, source: await fs.readFile(from, "utf8") });
      await fs.writeFile(to, withPrelude({ ...probed, code: withMap(probed) }));
      // `writeFile` has applied the umask.
      await fs.chmod(to, (await fs.stat(from)).mode);
      done.scripts++;
      done.blocks += probed.blocks;
      return;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      reporter.warn(`Cannot put probes into ${from}: ${error.message}; it is copied as it is`);
    }
  }
  await fs.cp(from, to, { force: true });
  done.copied++;
}
