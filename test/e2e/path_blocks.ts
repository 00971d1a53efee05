/** The blocks that each path of `services/paths.cjs` executes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "./harness.ts";

const FILE = join(SERVICES, "paths.cjs");
/** The end of its name, for a page, too: a page's scripts have URLs. */
const NAME = "/services/paths.cjs";
const source = readFileSync(FILE, "utf8");
const lines = source.split("\n");

/** The path's function, as text. */
function functionText(path: number): string {
  const start = source.indexOf(`function path${String(path).padStart(2, "0")}(`);
  return source.slice(start, source.indexOf("\n}", start) + 2);
}

/** The texts that a path executes: its function, and those of its blocks that any byte reaches. */
export function executedTexts(path: number): string[] {
  const whole = functionText(path);
  const from = (text: string) => whole.slice(whole.indexOf(text));
  const last = "\n  return number;\n";
  switch (path % 4) {
    case 0:
      return [whole, `\n  return ${path};\n`];
    case 1:
      return [whole, `? ${path}`];
    case 2:
      return [whole, from("{\n    number++").slice(0, -`${last}}`.length), last];
    default:
      return [whole, from("catch").slice(0, -"\n}".length), `: ${path}`];
  }
}

/**
 * The texts of blocks, given as `file:line.column,line.column`, that are within the service's paths. The
 * service's own top level and other files are left out.
 */
export function textsInPaths(blocks: readonly string[]): string[] {
  return blocks.flatMap((block) => {
    const [, file, ...range] = block.match(/^(.*):(\d+)\.(\d+),(\d+)\.(\d+)$/) ?? [];
    const [line, column, lastLine, end] = range.map(Number);
    if (!file.endsWith(NAME) || !isInPath(line)) return [];
    const rows = lines.slice(line - 1, lastLine);
    rows[rows.length - 1] = rows[rows.length - 1].slice(0, end - 1);
    rows[0] = rows[0].slice(column - 1);
    return [rows.join("\n")];
  });
}

function isInPath(line: number): boolean {
  let start = line - 1;
  while (start > 0 && !/^(function path|\})/.test(lines[start])) start--;
  return lines[start].startsWith("function path");
}
