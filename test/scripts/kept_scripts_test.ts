import { suite } from "uvu";
import * as assert from "uvu/assert";
import { StateError } from "../../src/blocks/state_error.ts";
import { KeptScripts } from "../../src/scripts/kept_scripts.ts";

const kept = suite("scripts/kept_scripts");

/** Keeps a result for a source by its key. */
function add(subject: KeptScripts<string>, key: string, source: string): void {
  subject.add(key, { source, result: Promise.resolve(`of ${source}`) });
}

kept("what was made of a source is found by its key, for that source alone", async () => {
  const subject = new KeptScripts<string>(100);
  add(subject, "a", "x = 1\n");
  assert.is(await subject.find("a", "x = 1\n"), "of x = 1\n");
  assert.is(subject.find("a", "x = 1\r"), undefined);
  assert.is(subject.find("b", "x = 1\n"), undefined);
  add(subject, "a", "x = 1\r");
  assert.is(await subject.find("a", "x = 1\r"), "of x = 1\r");
  assert.is(subject.find("a", "x = 1\n"), undefined);
});

kept("what was asked for least lately goes first", () => {
  const subject = new KeptScripts<string>(30);
  for (const key of ["a", "b", "c"]) add(subject, key, key.repeat(10));
  subject.find("a", "a".repeat(10));
  add(subject, "d", "d".repeat(10));
  const found = ["a", "b", "c", "d"].filter((key) => subject.find(key, key.repeat(10)));
  assert.equal(found, ["a", "c", "d"]);
});

kept("a source that is longer than all that may be kept is not", () => {
  const subject = new KeptScripts<string>(30);
  add(subject, "a", "a".repeat(31));
  assert.is(subject.find("a", "a".repeat(31)), undefined);
  add(subject, "b", "b".repeat(30));
  assert.ok(subject.find("b", "b".repeat(30)));
});

kept("what replaces another counts alone", () => {
  const subject = new KeptScripts<string>(30);
  add(subject, "a", "a".repeat(20));
  for (let i = 0; i < 5; i++) add(subject, "b", String(i).repeat(10));
  assert.ok(subject.find("a", "a".repeat(20)));
});

kept("what cannot be made is kept, and what could not be made now is made anew", async () => {
  const subject = new KeptScripts<string>(30);
  const results = [new SyntaxError("failed"), new StateError("not now")].map((error) =>
    Promise.reject(error)
  );
  for (const [i, result] of results.entries()) {
    subject.add(String(i), { source: "a", result });
    await result.catch(() => {});
  }
  assert.equal(["0", "1"].map((key) => subject.find(key, "a")), [results[0], undefined]);
});

kept.run();
