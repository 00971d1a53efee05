/** How errors are printed: errors that a user can mend, and faults of ours. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import createDebug from "debug";
import { USAGE, UserError } from "../../src/base/user_error.ts";
import type { Command } from "../../src/cli/command.ts";
import { COMMANDS, main } from "../../src/cli/mod.ts";

const errors = suite("cli/errors");

/** The command line's output and status when a command throws this. */
async function told(error: unknown): Promise<{ said: string; status: number }> {
  const failing: Command = {
    ...{ command: "failing", describe: "fails", builder: (argv) => argv },
    run: () => Promise.reject(error),
  };
  const commands = COMMANDS as Command[];
  const { write } = process.stderr;
  let said = "";
  commands.push(failing);
  process.stderr.write = ((text: string) => (said += text, true)) as typeof write;
  try {
    return { status: await main(["failing"]), said };
  } finally {
    process.stderr.write = write;
    commands.pop();
  }
}

errors("what a user can mend is a line as it is, with its status", async () => {
  const { said, status } = await told(new UserError("nothing is there; make it"));
  assert.equal([said, status], ["kcovfs: nothing is there; make it\n", 1]);
  assert.is((await told(new UserError("no such command", { status: 127 }))).status, 127);
});

errors("a command line that makes no sense says where the help is", async () => {
  const { said, status } = await told(new UserError("--count is wrong", { status: USAGE }));
  assert.equal([said, status], ["kcovfs: --count is wrong; see 'kcovfs failing --help'\n", 2]);
});

errors(
  "a fault of ours is one line, whatever it begins with, and a stack for who asks",
  async () => {
    for (const error of [new TypeError("x is no function"), new Error("Cannot do it")]) {
      const { said, status } = await told(error);
      assert.is(
        said,
        `kcovfs: Cannot go on: ${error}; to see where, run it again with DEBUG=kcovfs:*\n`,
      );
      assert.is(status, 1);
    }
    createDebug.enable("kcovfs:cli");
    try {
      assert.match((await told(new TypeError("x"))).said, /\nkcovfs: +at .*errors_test/);
    } finally {
      createDebug.disable();
    }
  },
);

errors.run();
