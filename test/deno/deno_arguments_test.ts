import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denoArguments, startsOf, waitsForUs } from "../../src/deno/deno_arguments.ts";

const deno = suite("deno/deno_arguments");

const PRELOAD = fileURLToPath(new URL("../../../shims/deno_preload.mjs", import.meta.url));
const INSPECTOR = `--inspect-brk=127.0.0.1:0 --inspect-publish-uid=http --preload=${PRELOAD} ` +
  "--v8-flags=--max-opt=1";

const started = (line: string) => denoArguments(line.split(" ").filter(Boolean))?.join(" ");

deno("a program is started with an inspector, which it waits for", () => {
  const all = `${INSPECTOR} --no-code-cache`;
  assert.is(started("run -A server.ts"), `run ${all} -A server.ts`);
  assert.is(started("serve --port 80 server.ts"), `serve ${all} --port 80 server.ts`);
  assert.is(started("test -A"), `test ${INSPECTOR} -A`);
  assert.is(started("eval 1"), `eval ${INSPECTOR} 1`);
});

deno("where its scripts are to have probes, it is given those and does not wait", () => {
  const tracing = fileURLToPath(new URL("../../../shims/deno_trace.mjs", import.meta.url));
  const args = denoArguments(["run", "-A", "server.ts"], { isTraced: true })!;
  assert.equal(args, ["run", `--preload=${tracing}`, "-A", "server.ts"]);
  assert.not.ok(waitsForUs(args.join(" ")));
  assert.ok(waitsForUs(started("run -A server.ts")!));
});

deno("a program without a subcommand is one too", () => {
  const all = `${INSPECTOR} --no-code-cache`;
  assert.is(started("server.ts run"), `${all} server.ts run`);
  assert.is(started("-A ./server"), `${all} -A ./server`);
  assert.is(started("https://example.com/x"), `${all} https://example.com/x`);
  assert.is(started("--log-level debug run a.ts"), `--log-level debug run ${all} a.ts`);
});

deno(
  "it waits of ours, of those that the user has come before the program, and of the program",
  () => {
    const starts = (line: string) =>
      startsOf(denoArguments(line.split(" "))!.map((word) => `'${word}'`).join(" "));
    assert.is(starts("run -A server.ts"), 2);
    assert.is(starts("run --preload=a.ts --require b.cjs --import c.ts server.ts"), 5);
  },
);

deno("what runs no program is left as it is", () => {
  for (
    const line of ["", "fmt", "-q fmt", "task dev", "--log-level debug fmt", "--version", "-h"]
  ) {
    assert.is(started(line), undefined, line);
  }
  assert.is(started("run --help"), undefined);
});

deno(
  "the user's own inspector is left to the user; what the program is told is not looked at",
  () => {
    for (const flag of ["--inspect", "--inspect=1.2.3.4:5", "--inspect-brk", "--inspect-wait"]) {
      assert.is(started(`run ${flag} a.ts`), undefined);
      assert.ok(started(`run a.ts ${flag}`), flag);
    }
    assert.ok(started("run a.ts --help"));
  },
);

deno.run();
