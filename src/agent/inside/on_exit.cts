type Internals = { reallyExit(code: number): never };

/**
 * Calls `finish` when the isolate's JavaScript is about to end by itself: after the listeners of the
 * exit, or before Node leaves without calling them.
 *
 * @returns a function that puts everything back; wrappers that others have added since then stay.
 */
function onExit(finish: () => void): () => void {
  // The process inherits `emit`, unless somebody has replaced it.
  const own = Object.getOwnPropertyDescriptor(process, "emit");
  const { emit } = process;
  const emitAndFinish = function (
    this: NodeJS.Process,
    name: string | symbol,
    ...rest: unknown[]
  ) {
    try {
      return Reflect.apply(emit, this, [name, ...rest]);
    } finally {
      if (name === "exit") finish();
    }
  } as typeof process.emit;
  process.emit = emitAndFinish;
  const internals = process as unknown as Internals;
  const { reallyExit } = internals;
  const finishAndExit: Internals["reallyExit"] = (code) => {
    finish();
    return Reflect.apply(reallyExit, process, [code]);
  };
  internals.reallyExit = finishAndExit;
  return () => {
    if (process.emit === emitAndFinish) {
      if (own) Object.defineProperty(process, "emit", own);
      else delete (process as Partial<NodeJS.Process>).emit;
    }
    if (internals.reallyExit === finishAndExit) internals.reallyExit = reallyExit;
  };
}

const parts = { onExit };
module.exports = parts;
export type Parts = typeof parts;
