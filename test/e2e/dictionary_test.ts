/** A dictionary of what a server has measured, while it runs and after its end. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Scene } from "./harness.ts";

const dictionary = suite("e2e/dictionary");

/** Words that js-yaml looks for; they are among the first entries. */
const WORDS = ["YAML", "TAG", "tag:yaml.org,2002:", "!<", ".inf", "0x", "<<"];
const FIRST = 80;

/** The entries of a dictionary's text. */
function parse(text: string): string[] {
  const lines = text.split("\n").slice(0, -1);
  for (const line of lines) assert.match(line, /^"(?:[ !#-[\]-~]|\\["\\]|\\x[0-9a-f]{2})+"$/);
  return lines.map((line) => line.slice(1, -1));
}

dictionary("of a parser has the words that it looks for, first those that decide", async () => {
  await using scene = new Scene();
  const server = await scene.serve("--collector", "trace");
  await scene.service("js_yaml");
  const { status, stdout, stderr } = await scene.command(
    ...["dictionary", "--include", "**/js-yaml/**"],
  );
  assert.is(stderr, "");
  assert.is(status, 0);
  const entries = parse(stdout);
  const first = entries.slice(0, FIRST);
  for (const word of WORDS) assert.ok(first.includes(word), `${word} is not in ${first.join(" ")}`);
  assert.is(new Set(entries).size, entries.length);

  server.kill("SIGTERM");
  await new Promise((resolve) => server.once("close", resolve));
  const file = join(scene.folder, "app.dict");
  const kept = await scene.command(
    ...["dictionary", "--state", scene.state, "--include", "**/js-yaml/**", "-o", file],
  );
  assert.match(kept.stderr, /^kcovfs: this is of root's server in /);
  assert.is(kept.stdout, "");
  assert.is(readFileSync(file, "utf8"), stdout);
});

dictionary("of nothing there is none, and a line says why", async () => {
  await using scene = new Scene();
  await scene.serve("--collector", "trace");
  await scene.service("js_yaml");
  const { status, stderr } = await scene.command("dictionary", "--include", "**/nowhere/**");
  assert.is(status, 1);
  assert.is(
    stderr,
    "kcovfs: Cannot make a dictionary: no script that has run has a literal; see --include, --exclude\n",
  );
});

dictionary.run();
