import { basename, resolve } from "node:path";

const PERMISSION = /^--(?:experimental-)?permission$/;
const READS = "--allow-fs-read";
/** Options whose value may be the next word. */
const WITH_VALUE: ReadonlySet<string> = new Set(
  ("-r --require --import --loader --experimental-loader -C --conditions --env-file --title --input-type " +
    "--allow-fs-read --allow-fs-write").split(" "),
);

/**
 * Whether a command is a Node whose permission model denies it to read a file. Node does not start if it may
 * not read a file that it must load first (Node 20; 22 and 23 before such files were exempt).
 *
 * @param command As the user gives it; programs that it starts are not considered.
 */
export function deniesReading([program, ...rest]: readonly string[], file: string): boolean {
  if (!program || !/^node/.test(basename(program))) return false;
  const script = rest.findIndex((word, i) =>
    !word.startsWith("-") && !WITH_VALUE.has(rest[i - 1] ?? "")
  );
  const options = script < 0 ? rest : rest.slice(0, script);
  if (!options.some((option) => PERMISSION.test(option))) return false;
  const allowed = options.flatMap((option, i) => {
    if (option === READS) return options[i + 1] ?? [];
    return option.startsWith(`${READS}=`) ? option.slice(READS.length + 1) : [];
  });
  return !allowed.flatMap((list) => list.split(",")).some((path) => covers(path, file));
}

/** As Node understands such a path: the file, everything in the folder, or everything that begins so. */
function covers(path: string, file: string): boolean {
  if (path === "*") return true;
  const whole = resolve(path.replace(/\*$/, ""));
  if (whole === file || file.startsWith(`${whole}/`)) return true;
  return path.endsWith("*") && file.startsWith(whole);
}
