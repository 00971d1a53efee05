import { setTimeout as sleep } from "node:timers/promises";
import type { Argv } from "yargs";
import { askServer } from "../../messages/control_client.ts";
import type { Interval } from "../../report/rates.ts";
import { formatTop } from "../../report/top.ts";
import type { Command, Io } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withMount } from "../options.ts";
import { Screen } from "../screen.ts";
import { USAGE, UserError } from "../../base/user_error.ts";

interface Arguments {
  readonly mount?: string;
  /** In seconds. */
  readonly interval: number;
  /** How often it is shown. */
  readonly count: number;
}

/** Shows intervals. `showsFirst`: also shows the first snapshot by itself, to show something at once. */
interface View extends Disposable {
  readonly showsFirst: boolean;
  readonly show: (interval: Interval) => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** The keys that quit. The last is Ctrl-C of a terminal in raw mode, which makes no signal of it. */
const QUIT = ["q", "Q", "\x03"];
/** The longest interval, in s. */
const LONGEST = 86400;
/** In s. */
const MINUTE = 60;

/** `kcovfs top` */
export const top: Command = {
  command: "top",
  describe: "watch targets and clients: on a terminal until 'q', else as plain lines",
  builder: (argv: Argv) =>
    withMount(argv)
      .option("interval", {
        type: "number",
        requiresArg: true,
        default: 1,
        describe: "seconds that rates are taken over",
        coerce: (value: number) => {
          if (value >= 0.1 && value <= LONGEST) return value;
          throw new UserError(`--interval takes seconds, from 0.1 to ${LONGEST}`, {
            status: USAGE,
          });
        },
      })
      .option("count", {
        type: "number",
        requiresArg: true,
        default: Infinity,
        defaultDescription: "until it is ended",
        describe: "how many intervals are shown",
        coerce: (value: number) => {
          if (value === Infinity || (Number.isInteger(value) && value > 0)) return value;
          throw new UserError("--count takes a whole number above 0", { status: USAGE });
        },
      })
      .example("kcovfs top", "")
      .example("kcovfs top --interval 60 --count 1", "the next minute, as plain lines into a pipe"),
  async run(argv, io) {
    const { mount, interval, count } = argv as unknown as Arguments;
    const socket = await findSocket(mount);
    const ended = new AbortController();
    const end = () => ended.abort();
    for (const signal of SIGNALS) process.on(signal, end);
    // The reader of the lines has seen enough.
    process.stdout.on("error", end);
    try {
      using view = process.stdout.isTTY ? liveView(end) : plainView(io);
      await watch(view, { socket, interval, count, signal: ended.signal });
      return 0;
    } finally {
      for (const signal of SIGNALS) process.off(signal, end);
      process.stdout.off("error", end);
    }
  },
};

async function watch(
  view: View,
  { socket, interval, count, signal }: {
    readonly socket: string;
    readonly interval: number;
    readonly count: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  // A user who leaves does not wait for a server that is stuck.
  const left = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined))
  );
  const ask = () => Promise.race([left, askServer(socket, "status")]);
  let before = await ask();
  if (!before) return;
  const lastMinute = [before];
  if (view.showsFirst) view.show({ now: before });
  for (let shown = 0; shown < count; shown++) {
    await sleep(interval * 1000, undefined, { signal }).catch(() => {});
    const now = await ask();
    if (!now) return;
    lastMinute.push(now);
    while (now.uptime - lastMinute[0].uptime > MINUTE && lastMinute.length > 2) lastMinute.shift();
    view.show({ before, now, minuteAgo: lastMinute[0] });
    before = now;
  }
}

/** Prints a block of lines each time, with an empty one after it. */
function plainView(io: Io): View {
  const size = { columns: Infinity, rows: Infinity };
  return {
    showsFirst: false,
    show: (interval) => io.print(`${formatTop(interval, size).join("\n")}\n\n`),
    [Symbol.dispose]() {},
  };
}

function liveView(end: () => void): View {
  let shown: Interval | undefined;
  // Node looks at NO_COLOR and TERM among others.
  const hasColors = process.stdout.hasColors?.() ?? false;
  const draw = () => shown && screen.draw(formatTop(shown, { ...screen.size, hasColors }));
  const screen = new Screen({ input: process.stdin, output: process.stdout }, {
    onKey: (key) => QUIT.includes(key) && end(),
    onResize: draw,
  });
  return {
    showsFirst: true,
    show(interval) {
      shown = interval;
      draw();
    },
    [Symbol.dispose]: () => screen[Symbol.dispose](),
  };
}
