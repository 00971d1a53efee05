import { hasFlag, optimises } from "../v8_flags.ts";

const WANTED = "--js-flags=--no-opt,--no-maglev,--no-enable-lazy-source-positions";

/**
 * A remark on the flags that a browser was started with; empty if there is nothing to remark.
 *
 * Optimised code does not count (see `agent/inside/count_everything.cts`), and no command of the protocol
 * turns V8's optimising compilers off. Besides, V8 finds out the positions of compiled code only when a
 * pause needs them. If it was compiling a script in the background while coverage began, it then crashes
 * (**measured** on Chromium 156: in 1 of 50 page loads that were paused; with the flag, in none of 480).
 *
 * @param commandLine The value of `SystemInfo.getInfo`: arguments joined by spaces.
 */
export function remarkOnFlags(commandLine: string): string {
  const [, flags = ""] = commandLine.match(/--js-flags=("[^"]*"|(?:[^ ]| (?=--?(?:no-|max-)))*)/) ??
    [];
  if (optimises(flags)) {
    return `it optimises, so blocks will be missing: start it with ${WANTED}`;
  }
  if (hasFlag(flags, "no-?enable[-_]lazy[-_]source[-_]positions")) return "";
  return `a page may crash while it loads: start it with ${WANTED}`;
}
