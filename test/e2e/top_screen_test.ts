import type { ChildProcess } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute, finish, KCOVFS, Scene } from "./harness.ts";
import { heard } from "./watched.ts";

const screen = suite<{ scene: Scene; server: ChildProcess }>("top, on a terminal");

const [ENTER, LEAVE] = ["\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"];
/** The sequences that begin each drawing, end its lines, and end it. */
const [HOME, ERASE_LINE_END, ERASE_BELOW] = ["\x1b[H", "\x1b[K", "\x1b[J"];

/** Makes a terminal of 80 columns, and prints its settings before and after. */
const SCRIPT = `
stty cols 80 rows 24
echo "tty $(tty) before $(stty -g)"
sh -c 'echo "pid $$"; exec "$0" top --interval 0.1' "$KCOVFS"
echo "status $? after $(stty -g)"
`;

/** `top` on a terminal of its own. */
interface OnTerminal {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The terminal's device. */
  readonly tty: string;
  readonly until: (part: string) => Promise<void>;
  /** Waits for the end. */
  readonly ended: () => Promise<Ended>;
}

interface Ended {
  readonly status: number;
  /** The lines of each drawing. */
  readonly drawn: readonly (readonly string[])[];
  /** The output after the screen was restored. */
  readonly rest: string;
}

async function started(scene: Scene, env: NodeJS.ProcessEnv = {}): Promise<OnTerminal> {
  const child = scene.start(["script", "--quiet", "--command", SCRIPT, "/dev/null"], {
    stdin: "pipe",
    env: { KCOVFS, KCOVFS_MOUNT: scene.mount, SHELL: "/bin/sh", NO_COLOR: "1", ...env },
  });
  const { text, until } = heard(child);
  await until("EXECS/S");
  const [, tty, before, pid] = text().match(/^tty (\S+) before (\S+)\r\npid (\d+)\r\n/)!;
  const ended = async () => {
    const { stdout } = await finish(child);
    const [head, shown, ...others] = stdout.split(ENTER);
    assert.is(others.length, 0);
    const [all, rest, ...more] = shown.split(LEAVE);
    assert.is(more.length, 0);
    const [, said, status, after] = rest.match(/^([^]*)status (\d+) after (\S+)\r\n$/)!;
    assert.is(after, before, "the terminal's settings");
    assert.match(head, /pid \d+\r\n$/);
    const drawn = all.split(HOME).slice(1).map((text) =>
      text.replace(ERASE_BELOW, "").replaceAll(ERASE_LINE_END, "").split("\r\n")
    );
    return { status: Number(status), drawn, rest: said };
  };
  return { child, pid: Number(pid), tty, until, ended };
}

screen.before(async (context) => {
  context.scene = new Scene();
  context.server = await context.scene.serve();
  await context.scene.service("paths");
});

screen.after(async ({ scene }) => {
  await scene[Symbol.asyncDispose]();
});

const WAYS: Readonly<Record<string, (top: OnTerminal) => void>> = {
  "'q'": ({ child }) => void child.stdin!.write("q"),
  "Ctrl-C": ({ child }) => void child.stdin!.write("\x03"),
  SIGINT: ({ pid }) => void process.kill(pid, "SIGINT"),
  SIGTERM: ({ pid }) => void process.kill(pid, "SIGTERM"),
};

for (const [name, end] of Object.entries(WAYS)) {
  screen(`after ${name} the terminal is as it was`, async ({ scene }) => {
    const top = await started(scene);
    end(top);
    const { status, drawn, rest } = await top.ended();
    assert.equal([status, rest], [0, ""]);
    assert.ok(drawn.length > 0);
    for (const lines of drawn) {
      assert.match(lines[0], /^kcovfs \S+, pid \d+, up \d+:\d\d:\d\d, collector v8$/);
      assert.ok(lines.length <= 24 && lines.every(({ length }) => length <= 80));
    }
  });
}

screen("headings are bold where the terminal has colours", async ({ scene }) => {
  // Node also looks at variables of CI systems, which tell what their logs can show.
  const env = { NO_COLOR: undefined, FORCE_COLOR: "1", TERM: "xterm-256color" };
  const top = await started(scene, env);
  top.child.stdin!.write("q");
  const { drawn } = await top.ended();
  // deno-lint-ignore no-control-regex
  assert.match(drawn[0][0], /^\x1b\[1mkcovfs .*\x1b\[0m$/);
  // The other text of the terminal has no style.
  assert.not.match(drawn[0][1], "\x1b");
});

screen("a terminal that becomes wider is filled", async ({ scene }) => {
  const top = await started(scene);
  const { status } = await execute(["stty", "-F", top.tty, "cols", "150"]);
  assert.is(status, 0);
  await top.until("RUNTIME");
  await top.until("ANSWER");
  top.child.stdin!.write("q");
  await top.ended();
});

screen("who leaves does not wait for a server that is stuck", async ({ scene, server }) => {
  const top = await started(scene);
  server.kill("SIGSTOP");
  try {
    top.child.stdin!.write("q");
    const { status, rest } = await top.ended();
    assert.equal([status, rest], [0, ""]);
  } finally {
    server.kill("SIGCONT");
  }
});

screen("when the server goes the terminal is as it was, and a line says why", async () => {
  await using scene = new Scene();
  const server = await scene.serve();
  const top = await started(scene);
  server.kill();
  const { status, rest } = await top.ended();
  assert.is(status, 1);
  assert.match(rest, /^kcovfs: Cannot ask the server at \/run\/kcovfs\/[^\n]*\n$/);
});

screen.run();
