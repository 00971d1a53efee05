import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import * as path from "node:path";
import type { CoverageMap, FileCoverageData } from "istanbul-lib-coverage";
import type * as IstanbulCoverage from "istanbul-lib-coverage";
import type * as IstanbulReport from "istanbul-lib-report";
import type * as IstanbulReports from "istanbul-reports";
import { breadcrumbs, LINKS, withoutMarks } from "./html_names.ts";

/** The formats: Istanbul's names for them, and the files that they begin at. */
export const REPORT_FORMATS = {
  text: { name: "text" },
  summary: { name: "text-summary" },
  lcov: { name: "lcovonly", file: "lcov.info" },
  html: { name: "html", file: "index.html" },
  json: { name: "json", file: "coverage-final.json" },
} as const;

export type FormatName = keyof typeof REPORT_FORMATS;

/** Whether a format is written into files, not to the terminal. */
export function isFile(format: FormatName): boolean {
  return "file" in REPORT_FORMATS[format];
}

/** A file of a report. */
export interface ReportedFile {
  readonly data: FileCoverageData;
  /** The text to show; undefined where it is lost. */
  readonly shown: string | undefined;
}

/** The form and the place of a report. */
export interface ReportOptions {
  readonly format: FormatName;
  /** The folder for formats that are files; made when it does not exist. */
  readonly folder: string;
  /** Characters in a line of text. */
  readonly columns?: number;
}

const LOST = "The source of this script is not there any more.\n";

/**
 * Renders files by Istanbul's reports. They write text to standard output.
 *
 * @returns the file to begin at, where there is one.
 * @throws when the folder cannot be written.
 */
export async function renderReport(
  files: readonly ReportedFile[],
  { format, folder, columns }: ReportOptions,
): Promise<string | undefined> {
  const require = createRequire(import.meta.url);
  const { createCoverageMap } = require("istanbul-lib-coverage") as typeof IstanbulCoverage;
  const { createContext } = require("istanbul-lib-report") as typeof IstanbulReport;
  const { create } = require("istanbul-reports") as typeof IstanbulReports;
  if (isFile(format)) await mkdir(folder, { recursive: true });
  const coverageMap: CoverageMap = createCoverageMap({});
  for (const { data } of files) coverageMap.addFileCoverage(data);
  const shown = new Map(files.map(({ data, shown }) => [data.path, shown]));
  const context = createContext({
    coverageMap,
    dir: folder,
    sourceFinder: (path) => withoutMarks(shown.get(path) ?? LOST),
  });
  const options = { linkMapper: LINKS, ...(columns !== undefined && { maxCols: columns }) };
  const row: { name: keyof IstanbulReports.ReportOptions; file?: string } = REPORT_FORMATS[format];
  const report = create(row.name, options as object);
  if (format === "html") Object.assign(report, { getBreadcrumbHtml: breadcrumbs });
  report.execute(context);
  return row.file && path.join(folder, row.file);
}
