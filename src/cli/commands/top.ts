import { setTimeout as sleep } from "node:timers/promises";
import type { Argv } from "yargs";
import { askServer, type Snapshot } from "../../control_client.ts";
import { formatTop } from "../../report/top.ts";
import type { Command, Io } from "../command.ts";
import { findSocket } from "../find_server.ts";
import { withMount } from "../options.ts";
import { Screen } from "../screen.ts";

interface Arguments {
  readonly mount?: string;
  /** In seconds. */
  readonly interval: number;
  /** How often it is shown. */
  readonly count: number;
}

/** What shows an interval, as soon as there is the first snapshot of it or when there are both. */
interface View extends Disposable {
  readonly showsFirst: boolean;
  readonly show: (interval: { before?: Snapshot | undefined; now: Snapshot }) => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What terminals send for Ctrl-C when nobody asked them to make a signal of it. */
const QUIT = ["q", "Q", "\x03"];
/** s, at most. */
const LONGEST = 86400;

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
          throw new Error(`--interval takes seconds, from 0.1 to ${LONGEST}`);
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
          throw new Error("--count takes a whole number above 0");
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
    // Whoever has read the lines has seen enough.
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
  let before = await askServer(socket, "status");
  if (view.showsFirst && !signal.aborted) view.show({ now: before });
  for (let shown = 0; shown < count; shown++) {
    await sleep(interval * 1000, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const now = await askServer(socket, "status");
    if (signal.aborted) return;
    view.show({ before, now });
    before = now;
  }
}

/** A block of lines each time, with an empty one after it. */
function plainView(io: Io): View {
  const size = { columns: Infinity, rows: Infinity };
  return {
    showsFirst: false,
    show: (interval) => io.print(`${formatTop(interval, size).join("\n")}\n\n`),
    [Symbol.dispose]() {},
  };
}

function liveView(end: () => void): View {
  let shown: Parameters<View["show"]>[0] | undefined;
  const draw = () => shown && screen.draw(formatTop(shown, screen.size));
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
