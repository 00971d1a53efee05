import { pathToFileURL } from "node:url";
import { describeThrown } from "./describe_error.ts";
import { giveJazzerCore } from "./give_jazzer_core.ts";
import type { LoadFailure } from "./protocol.ts";

type Done = (error?: unknown) => void;
/** A user's function. It may return a promise, or take a second parameter that it calls when it is done. */
export type Fuzz = (data: Buffer, done?: Done) => unknown;

/** Loads a module, and finds its `fuzz` however it is exported. */
export async function loadTarget(path: string): Promise<Fuzz | LoadFailure> {
  let exports: Record<string, unknown>;
  try {
    giveJazzerCore(path);
    exports = await import(pathToFileURL(path).href);
  } catch (error) {
    const { class: name, message, stack } = describeThrown(error);
    return { message: `${name}: ${message}`.split("\n")[0], stack };
  }
  const fuzz = findFuzz(exports);
  if (!fuzz) return { message: "it exports no function 'fuzz'", stack: [] };
  return fuzz.length > 1 ? withCallback(fuzz) : fuzz;
}

function findFuzz(exports: Record<string, unknown>): Fuzz | undefined {
  const all = exports["default"] as Record<string, unknown> | undefined;
  // A CommonJS module that was compiled from an ES module may have a default export of its own.
  const inner = all?.["default"] as Record<string, unknown> | undefined;
  const candidates = [exports["fuzz"], all?.["fuzz"], inner?.["fuzz"], all, inner];
  return candidates.find((candidate) => typeof candidate === "function") as Fuzz | undefined;
}

function withCallback(fuzz: Fuzz): Fuzz {
  return (data) =>
    new Promise<void>((resolve, reject) => {
      fuzz(data, (error) => error === undefined || error === null ? resolve() : reject(error));
    });
}
