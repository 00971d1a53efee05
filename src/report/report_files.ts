import type { CoveredTarget } from "../messages/requests.ts";
import { unpackBits } from "../symbols/block_bits.ts";
import { blockNumber } from "../symbols/pc_space.ts";
import { loopRound } from "../base/loop_round.ts";
import { coveredFiles, type FileSources, type ScriptBlocks } from "./covered_files.ts";
import type { ReportedFile } from "./coverage_report.ts";
import { fileCoverage } from "./file_coverage.ts";
import { outlineFile } from "./outline_file.ts";
import { ReportPaths } from "./report_path.ts";

/** The sources of files, and a listener. */
export interface ReportSources extends FileSources {
  /** Gets the number of files that are done, and of all. */
  readonly progress: (done: number, total: number) => void;
}

/** The files in which targets have executed code, in Istanbul's terms, by path. */
export async function reportFiles(
  targets: readonly CoveredTarget[],
  { progress, ...sources }: ReportSources,
): Promise<ReportedFile[]> {
  const scripts = targets.flatMap(({ scripts }) =>
    scripts.map(({ base, blocks }): ScriptBlocks => ({
      base: blockNumber(base),
      isCovered: unpackBits(blocks),
    }))
  );
  const files = [...(await coveredFiles(scripts, sources)).values()];
  const reported: ReportedFile[] = [];
  const paths = new ReportPaths();
  for (const [done, { url, states, text, shown }] of files.entries()) {
    progress(done, files.length);
    const outline = text && outlineFile(text);
    const data = fileCoverage(paths.of(url), { states, outline });
    reported.push({ data, shown: shown ?? text?.text });
    await loopRound();
  }
  return reported.sort((a, b) => a.data.path < b.data.path ? -1 : 1);
}
