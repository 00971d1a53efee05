/**
 * The sources of scripts by their ids, from V8 itself.
 *
 * The inspector hands out sources only while its `Debugger` domain is enabled. Neither way to use that suits
 * a target. To disable it again drops the block counters of every function compiled by then (`Debug::Unload`
 * calls `RemoveAllCoverageInfos`; measured on Node 20, 24 and 26). To leave it enabled makes an `await` cost
 * 1 µs more and turns off V8's cache of `eval` and `new Function`: each of these then makes a new script,
 * which coverage keeps for ever (measured: 58,000 scripts and 0.5 s a collection after as many calls).
 *
 * So V8's runtime functions are called, as its own tests do: `%ScriptLocationFromLine2` gives the line at a
 * position of a script (`runtime/runtime-debug.cc`, unchanged from V8 11 to 14). V8 parses such calls only
 * while `--allow-natives-syntax` is set. The flag is set just for as long as this takes.
 */
const v8 = require("node:v8") as typeof import("node:v8");
const vm = require("node:vm") as typeof import("node:vm");

const { Script } = vm;
const { setFlagsFromString } = v8;
const { add, sub } = Atomics;

/**
 * V8's answer for the line of a position; it also has `script`, an internal object that must not be touched.
 */
interface Line {
  /** From 0, whatever first line the script was given. */
  readonly line: number;
  readonly sourceText: string;
}

type Locate = (id: number, position: number) => Line | null;
type ListIds = () => number[];

/** The most tries while other threads change the flag. */
const ATTEMPTS = 20;

/**
 * Reads scripts; those that V8 no longer has are left out.
 *
 * Line ends of one character come out as `\n`, whichever of the four they are: V8 does not tell.
 *
 * @param natives A word that all threads of the process share, as the flag is the process's: the number of
 * those who need the flag. It begins at {@linkcode nativesWord}.
 */
function scriptSources(
  ids: readonly number[],
  natives: Int32Array = Int32Array.of(nativesWord()),
): Record<number, string> {
  return withNatives(natives, () => readSources(ids));
}

/** Runs an action while V8's runtime functions can be called; it may run it more than once. */
function withNatives<T>(natives: Int32Array, action: () => T): T {
  for (let attempt = 1;; attempt++) {
    add(natives, 0, 1);
    setFlagsFromString("--allow-natives-syntax");
    try {
      return action();
    } catch (error) {
      // Another thread that had finished took the flag away at that moment.
      if (!(error instanceof SyntaxError) || attempt === ATTEMPTS) throw error;
    } finally {
      if (sub(natives, 0, 1) === 1) setFlagsFromString("--no-allow-natives-syntax");
    }
  }
}

function readSources(ids: readonly number[]): Record<number, string> {
  // This collects garbage first, which takes some ms.
  const loaded = new Set(compile<ListIds>(LIST_IDS)());
  const locate = compile<Locate>(
    "(id, position) => %ScriptLocationFromLine2(id, null, null, position)",
  );
  const present = ids.filter((id) => loaded.has(id));
  return Object.fromEntries(present.map((id) => [id, joinLines(locate, id)]));
}

/** 1 if the user has set the flag, which then stays set; else 0. */
function nativesWord(): number {
  return isAllowed() ? 1 : 0;
}

const LIST_IDS = "() => %DebugGetLoadedScriptIds()";

function isAllowed(): boolean {
  try {
    // A text of its own: for the other one V8 would find the code that it has compiled before.
    compile(`${LIST_IDS} // asked`);
    return true;
  } catch {
    return false;
  }
}

/** To be called for each use: V8 may flush the code and then could not compile it again. */
function compile<T>(code: string): T {
  return new Script(code, { filename: "node:kcovfs" }).runInThisContext() as T;
}

/** Goes by positions, because lines and columns count from where the script was said to begin. */
function joinLines(locate: Locate, id: number): string {
  // Its answer keeps the script alive.
  const first = locate(id, 0);
  let source = first?.sourceText ?? "";
  for (let line = 1;; line++) {
    let end = "\n";
    let next = locate(id, source.length + 1);
    // This position was between the two characters of a line end.
    if (next && next.line < line) {
      end = "\r\n";
      next = locate(id, source.length + 2);
    }
    if (!next) return source;
    source += end + next.sourceText;
  }
}

const parts = { nativesWord, scriptSources, withNatives };
module.exports = parts;
export type Parts = typeof parts;
