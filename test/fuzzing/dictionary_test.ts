import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withDictionary } from "../../src/fuzzing/dictionary.ts";
import { ORACLES } from "../../src/harness/protocol.ts";

const dictionary = suite<{ folder: string; file: string }>("fuzzing/dictionary");

dictionary.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "kcovfs-test-"));
  context.file = join(context.folder, "dictionary");
});

dictionary.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

dictionary("the user's words stay, and those of the oracles come to them", ({ folder, file }) => {
  const theirs = join(folder, "theirs");
  writeFileSync(theirs, '# mine\nword="\\xff\xe4"\n', "latin1");
  const options = withDictionary(["-runs=1", `-dict=${theirs}`], { file, without: ["pollution"] });
  assert.equal(options, ["-runs=1", `-dict=${file}`]);
  const text = readFileSync(file, "latin1");
  assert.match(text, /^# mine\nword="\\xff\xe4"\n/);
  assert.match(text, /^";kcovfs-canary;"$/m);
  assert.not.match(text, /__proto__/);
});

dictionary("where no oracle has words, there is none", ({ folder }) => {
  const file = join(folder, "none");
  assert.equal(withDictionary(["-runs=1"], { file, without: ORACLES }), ["-runs=1"]);
  assert.not(existsSync(file));
});

dictionary("one that cannot be read is told", ({ file }) => {
  const missing = ["-dict=/no/such/file"];
  assert.throws(
    () => withDictionary(missing, { file, without: [] }),
    /Cannot read the dictionary \/no/,
  );
});

dictionary.run();
