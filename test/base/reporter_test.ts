import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LimitedReporter } from "../../src/base/reporter.ts";

const reporter = suite("base/reporter");

reporter(
  "of many lines in a short time the last that is said says that more are left out",
  async () => {
    const lines: string[] = [];
    const limited = new LimitedReporter(
      { warn: (line) => lines.push(line) },
      { most: 3, interval: 200 },
    );
    for (let i = 0; i < 10; i++) limited.warn(`line ${i}`);
    assert.equal(lines.splice(0), [
      "line 0",
      "line 1",
      "line 2 (others like it are left out for up to 0.2 s)",
    ]);
    await new Promise((resolve) => setTimeout(resolve, 250));
    limited.warn("later");
    assert.equal(lines, ["later"]);
  },
);

reporter.run();
