interface Suite {
  (name: string, test: () => Promise<void>): void;
}

/** Adds a test of this name; each gets a world of its own. */
export type Scenario<World> = (sentence: string, run: (world: World) => unknown) => void;

/**
 * Tests that each begin with a new world, which is cleaned up however they end. The command line selects those
 * whose sentences contain its text.
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
