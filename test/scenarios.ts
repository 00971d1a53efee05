interface Suite {
  (name: string, test: () => Promise<void>): void;
}

/** Adds a test of this name; each gets a world of its own. */
export type Scenario<World> = (sentence: string, run: (world: World) => unknown) => void;

/**
 * Tests that begin with a new world each, which is cleaned up however they end. What the command line says picks
 * those whose sentences contain it.
 */
export function scenarios<World extends AsyncDisposable>(
  suite: Suite,
  make: () => World | Promise<World>,
): Scenario<World> {
  return (sentence, run) => {
    if (!sentence.includes(process.argv[2] ?? "")) return;
    suite(sentence, async () => {
      await using world = await make();
      await run(world);
    });
  };
}
