import { fileURLToPath } from "node:url";
import picomatch from "picomatch";

/** Selects the scripts that are measured. */
export interface FilterOptions {
  /** Globs of which one must match; without any, all scripts do. */
  readonly include?: readonly string[];
  /** Globs of which none may match. */
  readonly exclude?: readonly string[];
  /** Folders whose scripts are kcovfs' own, not the target's. */
  readonly own?: readonly string[];
}

/**
 * The runtimes' own scripts, by their schemes, and Node's names for a `vm` script without a file name and for
 * its frame around `node -e`.
 */
const RUNTIME =
  /^(?:(?:node|deno|ext|internal|chrome|chrome-extension|devtools):|evalmachine\.<anonymous>$|\[eval\]-wrapper$)/;

/**
 * Makes the function that says whether a script is measured. Globs are matched against the URL and,
 * for a file, against its path too, so that `**\/src/**` works as expected. Scripts without a URL
 * (`eval`, `new Function`) and the runtime's own are never measured; those in `node_modules` are.
 */
export function scriptFilter(options: FilterOptions): (url: string) => boolean {
  const include = picomatch([...options.include ?? []], { dot: true });
  const exclude = picomatch([...options.exclude ?? []], { dot: true });
  const own = options.own ?? [];
  const includesAll = (options.include?.length ?? 0) === 0;
  return (url) => {
    if (url === "" || RUNTIME.test(url)) return false;
    const path = scriptPath(url);
    if (own.some((folder) => path.startsWith(folder))) return false;
    if (exclude(url) || exclude(path)) return false;
    return includesAll || include(url) || include(path);
  };
}

/** The path of a file's URL; other URLs as they are. */
export function scriptPath(url: string): string {
  if (!url.startsWith("file:")) return url;
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}
