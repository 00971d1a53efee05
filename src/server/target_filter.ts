import { fileURLToPath } from "node:url";
import { type FilterOptions, scriptFilter } from "../blocks/script_filter.ts";
import type { Target } from "../targets/target.ts";

/**
 * Makes the filter for a target's scripts, by URL: a script is measured if the server's globs pick it and, if
 * the target has globs of its own, those pick it, too. Our own sources are measured if the server is the
 * target, but not where they are the agent in another.
 */
export function targetFilter(
  globs: Pick<FilterOptions, "include" | "exclude">,
): (target: Target) => (url: string) => boolean {
  const own = [fileURLToPath(new URL("..", import.meta.url))];
  const isMeasured = scriptFilter({ ...globs, own });
  const isMeasuredInSelf = scriptFilter(globs);
  return ({ link, info }) => {
    const isMeasuredByServer = link.kind === "self" ? isMeasuredInSelf : isMeasured;
    if (!info.include && !info.exclude) return isMeasuredByServer;
    const isMeasuredByTarget = scriptFilter(info);
    return (url: string) => isMeasuredByServer(url) && isMeasuredByTarget(url);
  };
}
