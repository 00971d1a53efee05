import { basename, resolve } from "node:path";

const PERMISSION = /^--(?:experimental-)?permission$/;
const READS = "--allow-fs-read";
/** Options whose value may be the next word. */
const WITH_VALUE: ReadonlySet<string> = new Set(
  ("-r --require --import --loader --experimental-loader -C --conditions --env-file --title --input-type " +
    "--allow-fs-read --allow-fs-write").split(" "),
);

/**
 * Whether a command is a Node whose permission model denies it to read a file. What it is told to load
 * beforehand it must be able to read, or it does not start (Node 20, and 22 and 23 before there was an
 * exception for such files).
 *
 * @param command As the user gives it; of what it starts nothing is known.
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

/** As Node reads such a path: the file, all in the folder, or all that begins so. */
function covers(path: string, file: string): boolean {
  if (path === "*") return true;
  const whole = resolve(path.replace(/\*$/, ""));
  if (whole === file || file.startsWith(`${whole}/`)) return true;
  return path.endsWith("*") && file.startsWith(whole);
}
