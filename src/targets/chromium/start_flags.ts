/**
 * What is to be said of the flags that a browser was started with; empty when all is well.
 *
 * Optimised code does not count (see `agent/preload.cts`), and no command of the protocol turns V8's
 * optimising compilers off.
 *
 * @param commandLine As `SystemInfo.getInfo` tells it: arguments joined by spaces.
 */
export function remarkOnFlags(commandLine: string): string {
  const [, flags = ""] = commandLine.match(/--js-flags=("[^"]*"|(?:[^ ]| (?=--?(?:no-|max-)))*)/) ??
    [];
  const has = (flag: string) => new RegExp(`--?${flag}(?![\\w-])`).test(flags);
  const hasNoOptimiser = has("no-?opt") || has("no-?turbofan") || has("max-opt=[012]");
  if (has("jitless") || has("max-opt=[01]") || hasNoOptimiser && has("no-?maglev")) return "";
  return "it optimises, so blocks will be missing: start it with --js-flags=--no-opt,--no-maglev";
}
