/** Strips types as Node does by itself (`lib/internal/modules/typescript.js`). */
const nodeModule = require("node:module") as {
  readonly stripTypeScriptTypes?: (source: string, options: { sourceUrl: string }) => string;
};

const { stripTypeScriptTypes } = nodeModule;

/**
 * @param sourceUrl What the script is to be called.
 * @returns undefined where that cannot be done: Node then says what is wrong with it.
 */
function stripTypes(source: string, sourceUrl: string): string | undefined {
  const { emitWarning } = process;
  try {
    // It says that it is experimental, which Node does not say here.
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
