/** Strips types as Node does by itself (`lib/internal/modules/typescript.js`). */
const nodeModule = require("node:module") as {
  readonly stripTypeScriptTypes?: (source: string, options: { sourceUrl: string }) => string;
};

const { stripTypeScriptTypes } = nodeModule;

/**
 * @param sourceUrl The URL that the script is to have.
 * @returns undefined if types cannot be stripped: Node then reports the error.
 */
function stripTypes(source: string, sourceUrl: string): string | undefined {
  const { emitWarning } = process;
  try {
    // The function warns that it is experimental; Node does not warn when it strips types by itself.
    process.emitWarning = () => {};
    return stripTypeScriptTypes?.(source, { sourceUrl });
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

const parts = { stripTypes };
module.exports = parts;
export type Parts = typeof parts;
