import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const NAME = "@jazzer.js/core";
const OURS = new URL("./jazzer_core.js", import.meta.url);

/** The part of `node:module` that types do not have, or that not all Nodes have. */
interface ModuleInternals {
  _resolveFilename(request: string, ...rest: unknown[]): string;
  registerHooks?(hooks: {
    resolve(specifier: string, context: unknown, next: (specifier: string) => unknown): unknown;
  }): void;
}

/** Has a module find `@jazzer.js/core` if it asks for it and cannot. */
export function giveJazzerCore(target: string): void {
  if (!readFileSync(target, "latin1").includes(NAME)) return;
  const require = nodeModule.createRequire(target);
  try {
    require.resolve(NAME);
    return;
  } catch {
    // It is not installed.
  }
  const internals = nodeModule.Module as unknown as ModuleInternals;
  const resolve = internals._resolveFilename;
  internals._resolveFilename = function (request, ...rest) {
    return request === NAME ? fileURLToPath(OURS) : resolve.call(this, request, ...rest);
  };
  const { registerHooks } = nodeModule as unknown as ModuleInternals;
  if (registerHooks) {
    registerHooks({
      resolve: (specifier, _context, next) => next(specifier === NAME ? OURS.href : specifier),
    });
  } else {
    const hook = `export const resolve = (specifier, context, next) =>
      next(specifier === ${JSON.stringify(NAME)} ? ${JSON.stringify(OURS.href)} : specifier);`;
    nodeModule.register(`data:text/javascript,${encodeURIComponent(hook)}`, pathToFileURL("/"));
  }
}
