import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Argv } from "yargs";
import type { Command } from "../../src/cli/command.ts";
import { manPage } from "../../src/cli/man_page.ts";
import { COMMANDS } from "../../src/cli/mod.ts";

const page = suite("cli/man_page");

const OPTIONS = { version: "1.2.3", summary: "does this" };

function pageOf(builder: Command["builder"], more: Partial<Command> = {}): string {
  const run = () => Promise.resolve(0);
  const command = { command: "poke <it>", describe: "poke something", builder, run, ...more };
  return manPage([command], OPTIONS);
}

page("a command has its usage, its sentence, its arguments, options and examples", () => {
  const text = pageOf((argv: Argv) =>
    argv
      .positional("it", { type: "string", describe: "what is poked" })
      .option("hard", { alias: "h", type: "boolean", default: false, describe: "do not be gentle" })
      .option("times", { type: "number", default: 2, describe: "how often" })
      .option("with", { choices: ["finger", "stick"], default: "stick", describe: "by what" })
      .option("echo", { type: "boolean", default: true, describe: "say so" })
      .example("kcovfs poke bear --hard", "and run")
  );
  assert.match(text, /^\.TH KCOVFS 1 "" "kcovfs 1\.2\.3"\n\.SH NAME\nkcovfs \\- does this\n/);
  assert.match(text, /\.SS kcovfs poke <it>\nPoke something\.\n\.TP\n\.I it\nwhat is poked\n/);
  assert.match(text, /\.TP\n\.B \\-\\-hard, \\-h\ndo not be gentle\n/);
  assert.match(text, /\.TP\n\.B \\-\\-times N\nhow often \[default: 2\]\n/);
  assert.match(text, /\.TP\n\.B \\-\\-with finger\|stick\nby what \[default: stick\]\n/);
  assert.match(text, /\.TP\n\.B \\-\\-\[no\\-\]echo\nsay so \[default: true\]\n/);
  assert.match(text, /\.nf\nkcovfs poke bear \\-\\-hard\n\.fi\nand run\n/);
});

page("what troff would take for its own is escaped", () => {
  const text = pageOf((argv) => argv.option("a", { describe: ".then 'a\\b'\n'c" }));
  assert.ok(text.includes("\n\\&.then 'a\\eb'\n\\&'c\n"), text);
});

page("all commands are in it", () => {
  const text = manPage(COMMANDS, OPTIONS).replaceAll("\\-", "-");
  for (const { command } of COMMANDS) {
    assert.match(text, new RegExp(`^\\.SS kcovfs ${command.split(" ")[0]}\\b`, "m"));
  }
  // An option that a helper declares.
  assert.match(text, /^\.B --collect-timeout N$/m);
});

page.run();
