/**
 * Calls `finish` when the isolate's JavaScript is about to end by itself: after the listeners of the
 * exit, or before Node leaves without asking them.
 */
function onExit(finish: () => void): void {
  const { emit } = process;
  process.emit = function (this: NodeJS.Process, name: string | symbol, ...rest: unknown[]) {
    try {
      return Reflect.apply(emit, this, [name, ...rest]);
    } finally {
      if (name === "exit") finish();
    }
  } as typeof process.emit;
  const internals = process as unknown as { reallyExit(code: number): never };
  const { reallyExit } = internals;
  internals.reallyExit = (code) => {
    finish();
    return Reflect.apply(reallyExit, process, [code]);
  };
}

module.exports = { onExit };
